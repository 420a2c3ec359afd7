"""Activation functions, each forward beside its backward.

Every pair has the signatures ``forward(y, x, alpha)`` and ``backward(dx, dy, x, y, alpha)`` on flat
arrays of one precision: y (n,) = f(x), dx (n,) = dy * f'(x); ``alpha`` is the layer's one number
(slope, scale) and ignored where there is none. NaN in, NaN out: comparisons are written so that
NaN takes the branch that keeps it.
"""

import math

from simdl._jit import njit
from simdl.kernels.mathematics import exp, expm1, log1p_exp_neg, normal_cdf, sigmoid, tanh

SELU_ALPHA = 1.6732632423543772  # Klambauer et al. 2017, equation 14
SELU_SCALE = 1.0507009873554805
SOFTPLUS_LINEAR = 20.0  # beyond it softplus is taken as x, as PyTorch does


@njit
def sigmoid_forward(y, x, alpha):
    """y = 1 / (1 + exp(-x))"""
    for i in range(y.size):
        y[i] = sigmoid(x[i])


@njit
def sigmoid_backward(dx, dy, x, y, alpha):
    """dx = dy * y (1 - y)"""
    one = dx.dtype.type(1)
    for i in range(dx.size):
        dx[i] = dy[i] * (y[i] * (one - y[i]))


@njit
def tanh_forward(y, x, alpha):
    """y = tanh(x)"""
    for i in range(y.size):
        y[i] = tanh(x[i])


@njit
def tanh_backward(dx, dy, x, y, alpha):
    """dx = dy * (1 - y^2)"""
    one = dx.dtype.type(1)
    for i in range(dx.size):
        dx[i] = dy[i] * (one - y[i] * y[i])


@njit
def relu_forward(y, x, alpha):
    """y = max(x, 0), NaN kept"""
    zero = y.dtype.type(0)
    for i in range(y.size):
        y[i] = zero if x[i] <= zero else x[i]


@njit
def relu_backward(dx, dy, x, y, alpha):
    """dx = dy where x > 0, else 0 (0 at x = 0)"""
    zero = dx.dtype.type(0)
    for i in range(dx.size):
        dx[i] = zero if x[i] <= zero else dy[i]


@njit
def leaky_relu_forward(y, x, alpha):
    """y = x where x > 0, else alpha x"""
    zero, slope = y.dtype.type(0), y.dtype.type(alpha)
    for i in range(y.size):
        y[i] = x[i] if x[i] > zero else slope * x[i]


@njit
def leaky_relu_backward(dx, dy, x, y, alpha):
    """dx = dy where x > 0, else alpha dy"""
    zero, slope = dx.dtype.type(0), dx.dtype.type(alpha)
    for i in range(dx.size):
        dx[i] = dy[i] if x[i] > zero else slope * dy[i]


@njit
def elu_forward(y, x, alpha):
    """y = x where x > 0, else alpha (exp(x) - 1)  (Clevert et al. 2016)"""
    zero, scale = y.dtype.type(0), y.dtype.type(alpha)
    for i in range(y.size):
        low = scale * expm1(zero if x[i] > zero else x[i])
        y[i] = x[i] if x[i] > zero else low


@njit
def elu_backward(dx, dy, x, y, alpha):
    """dx = dy where x > 0, else dy (y + alpha)"""
    zero, scale = dx.dtype.type(0), dx.dtype.type(alpha)
    for i in range(dx.size):
        dx[i] = dy[i] if x[i] > zero else dy[i] * (y[i] + scale)


@njit
def selu_forward(y, x, alpha):
    """y = scale * elu(x) with the constants of Klambauer et al. 2017"""
    zero, scale = y.dtype.type(0), y.dtype.type(SELU_SCALE)
    low_scale = y.dtype.type(SELU_SCALE * SELU_ALPHA)
    for i in range(y.size):
        low = low_scale * expm1(zero if x[i] > zero else x[i])
        y[i] = scale * x[i] if x[i] > zero else low


@njit
def selu_backward(dx, dy, x, y, alpha):
    """dx = dy * scale where x > 0, else dy (y + scale * alpha)"""
    zero, scale = dx.dtype.type(0), dx.dtype.type(SELU_SCALE)
    low_scale = dx.dtype.type(SELU_SCALE * SELU_ALPHA)
    for i in range(dx.size):
        dx[i] = dy[i] * (scale if x[i] > zero else y[i] + low_scale)


@njit
def gelu_forward(y, x, alpha):
    """y = x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016)"""
    for i in range(y.size):
        y[i] = x[i] * normal_cdf(x[i])


@njit
def gelu_backward(dx, dy, x, y, alpha):
    """dx = dy (Phi(x) + x phi(x))"""
    half, norm = dx.dtype.type(0.5), dx.dtype.type(1 / math.sqrt(2 * math.pi))
    for i in range(dx.size):
        density = norm * exp(-half * x[i] * x[i])
        dx[i] = dy[i] * (normal_cdf(x[i]) + x[i] * density)


@njit
def silu_forward(y, x, alpha):
    """y = x sigmoid(x)"""
    for i in range(y.size):
        y[i] = x[i] * sigmoid(x[i])


@njit
def silu_backward(dx, dy, x, y, alpha):
    """dx = dy s (1 + x (1 - s)), s = sigmoid(x)"""
    one = dx.dtype.type(1)
    for i in range(dx.size):
        s = sigmoid(x[i])
        dx[i] = dy[i] * (s * (one + x[i] * (one - s)))


@njit
def softplus_forward(y, x, alpha):
    """y = log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)); x itself beyond 20"""
    zero, linear = y.dtype.type(0), y.dtype.type(SOFTPLUS_LINEAR)
    for i in range(y.size):
        above = x[i] if x[i] > zero else zero
        soft = above + log1p_exp_neg(abs(x[i]))
        y[i] = x[i] if x[i] > linear else soft


@njit
def softplus_backward(dx, dy, x, y, alpha):
    """dx = dy sigmoid(x); dy itself beyond 20"""
    linear = dx.dtype.type(SOFTPLUS_LINEAR)
    for i in range(dx.size):
        soft = dy[i] * sigmoid(x[i])
        dx[i] = dy[i] if x[i] > linear else soft


@njit
def softsign_forward(y, x, alpha):
    """y = x / (1 + |x|)"""
    one = y.dtype.type(1)
    for i in range(y.size):
        y[i] = x[i] / (one + abs(x[i]))


@njit
def softsign_backward(dx, dy, x, y, alpha):
    """dx = dy / (1 + |x|)^2"""
    one = dx.dtype.type(1)
    for i in range(dx.size):
        scale = one + abs(x[i])
        dx[i] = dy[i] / (scale * scale)


# what a layer names -> (forward, backward)
PAIRS = {
    "sigmoid": (sigmoid_forward, sigmoid_backward),
    "tanh": (tanh_forward, tanh_backward),
    "relu": (relu_forward, relu_backward),
    "leaky_relu": (leaky_relu_forward, leaky_relu_backward),
    "elu": (elu_forward, elu_backward),
    "selu": (selu_forward, selu_backward),
    "gelu": (gelu_forward, gelu_backward),
    "silu": (silu_forward, silu_backward),
    "softplus": (softplus_forward, softplus_backward),
    "softsign": (softsign_forward, softsign_backward),
}
