"""The dense (fully connected) layer: y = x W + b. `product`: address of `products.product`."""

from simdl._jit import njit
from simdl.kernels.products import (
    add_column_sums,
    multiply,
    multiply_by_transpose,
    multiply_transposed,
)


@njit
def dense_forward(y, x, weight, bias, product):
    """y (n, out) = x (n, in) @ weight (in, out) + bias (out,), which may be empty"""
    multiply(product, y, x, weight, bias)


@njit
def dense_backward_parameters(dweight, dbias, dy, x, product):
    """dweight (in, out) = x^T @ dy, dbias (out,) = column sums of dy"""
    multiply_transposed(product, dweight, x, dy, False)
    if dbias.size > 0:
        dbias[:] = 0
        add_column_sums(dbias, dy)


@njit
def dense_backward_input(dx, dy, weight, product):
    """dx (n, in) = dy (n, out) @ weight^T"""
    multiply_by_transpose(product, dx, dy, weight)
