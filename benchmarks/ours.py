"""simdl through its public door, and the matrix products of its step alone: its own, and BLAS's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from contenders import Contender
from numba import njit
from shapes import LR, SEED, Task

import simdl
from simdl._jit import address, array_view
from simdl.engine.records import aligned, product_signature
from simdl.kernels.products import multiply, multiply_by_transpose, multiply_transposed, product

LEAST = 1e-6  # seconds: a difference of two times, which noise may make negative


class Simdl(Contender):
    """`simdl.train`; it draws its own orders, on the clock."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.data = simdl.Data(train=(task.x, task.t))
        self.start = task.net.init(SEED)
        for own in (self.start, self.start.buffers):
            for name in own:
                own[name] = task.start[name]
        self.restart()

    def restart(self) -> None:
        self.params = self.start

    def train(self, orders: np.ndarray) -> None:
        result = simdl.train(
            self.task.net if self.dropping else self.task.undropped, self.data,
            loss="softmax_cross_entropy", batch_size=self.task.batch,
            optimizer=simdl.optimizers.Adam(lr=LR), steps=orders.size // self.task.batch,
            probes=[], seed=SEED, params=self.start,
        )  # fmt: skip
        if result.status != "completed":
            raise RuntimeError(f"training ended early: {result.reason}")
        self.params = result.params

    def seconds(self, steps: int) -> float:
        """Slope between one epoch and the whole, which leaves out the set-up of a training.

        The peers' set-up is off the clock, too.
        """
        short, whole = self.orders(1), self.orders(steps)
        if whole.shape == short.shape:
            return super().seconds(steps)
        marks = [time.perf_counter()]
        for orders in (short, whole):
            self.train(orders)
            marks.append(time.perf_counter())
        extra = (whole.size - short.size) // self.task.batch
        return max((marks[2] - marks[1]) - (marks[1] - marks[0]), LEAST) / extra

    def loss(self) -> float:
        return simdl.value_and_grad(self.task.undropped, self.params, self.task.x, self.task.t)[0]

    def versions(self) -> dict[str, str]:
        import numba

        return {"simdl": simdl.__version__, "numba": numba.__version__, "numpy": np.__version__}


@njit(error_model="numpy")
def own(address, kind, c, a, b):
    """A product as simdl makes it: of a and b, of a^T and b, of a and b^T."""
    if kind == 0:
        multiply(address, c, a, b, array_view(c.reshape(c.size), 0, 0))
    elif kind == 1:
        multiply_transposed(address, c, a, b, False)
    else:
        multiply_by_transpose(address, c, a, b)


@njit(error_model="numpy")
def through_blas(address, kind, c, a, b):
    """The same through `np.dot`, which calls SciPy's BLAS."""
    if kind == 0:
        np.dot(a, b, c)
    elif kind == 1:
        np.dot(a.T, b, c)
    else:
        np.dot(a, b.T, c)


def steps_with(product: Any) -> Any:
    """Return the function that does the products of a step, over and over, with `product`."""

    @njit(error_model="numpy")
    def products(address, steps, sizes, batch, values, deltas, weights, grads):
        """y = x W; then, last layer first, dW = x^T dy, dx = dy W^T, but for the input's.

        Buffers are flat, layers one behind the other.
        """
        for _ in range(steps):
            for i in range(sizes.shape[0]):
                n_in, n_out, at, behind, w = sizes[i]
                x = values[at : at + batch * n_in].reshape(batch, n_in)
                y = values[behind : behind + batch * n_out].reshape(batch, n_out)
                product(address, 0, y, x, weights[w : w + n_in * n_out].reshape(n_in, n_out))
            for i in range(sizes.shape[0] - 1, -1, -1):
                n_in, n_out, at, behind, w = sizes[i]
                x = values[at : at + batch * n_in].reshape(batch, n_in)
                dy = deltas[behind : behind + batch * n_out].reshape(batch, n_out)
                product(address, 1, grads[w : w + n_in * n_out].reshape(n_in, n_out), x, dy)
                if i > 0:
                    dx = deltas[at : at + batch * n_in].reshape(batch, n_in)
                    product(address, 2, dx, dy, weights[w : w + n_in * n_out].reshape(n_in, n_out))

    return products


class Products(Contender):
    """The products of a step alone, on the same kind of buffers."""

    trains = False
    product: ClassVar[Any] = own

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.products = steps_with(type(self).product)

        def offsets(lengths: list[int]) -> list[int]:
            """Where each buffer begins: on a 64-byte boundary, as in simdl's arena."""
            padded = [-(-length // 16) * 16 for length in lengths]
            return [0, *np.cumsum(padded).tolist()]

        pairs = list(zip(task.widths, task.widths[1:], strict=False))
        at = offsets([task.batch * width for width in task.widths])
        # simdl's parameters are not padded: weight, bias, weight, bias, ...
        w = [0, *np.cumsum([n_in * n_out + n_out for n_in, n_out in pairs]).tolist()]
        rows = [(*pair, at[i], at[i + 1], w[i]) for i, pair in enumerate(pairs)]
        self.sizes = np.array(rows, np.int64)
        self.values, self.deltas = aligned(at[-1], np.float32), aligned(at[-1], np.float32)
        self.weights, self.grads = aligned(w[-1], np.float32), aligned(w[-1], np.float32)
        self.values[: task.batch * task.widths[0]] = task.x[: task.batch].ravel()
        for (weight, _), start in zip(task.dense, w, strict=False):
            self.weights[start : start + weight.size] = weight.ravel()
        last = slice(at[-2], at[-2] + task.batch * task.widths[-1])
        self.deltas[last] = np.random.default_rng(0).normal(size=last.stop - last.start)

    def restart(self) -> None:
        pass

    def train(self, orders: np.ndarray) -> None:
        steps = orders.size // self.task.batch
        where = address(product, product_signature("float32"))
        self.products(
            where,
            steps,
            self.sizes,
            self.task.batch,
            self.values,
            self.deltas,
            self.weights,
            self.grads,
        )

    def loss(self) -> float:
        raise TypeError("products alone have no loss")

    def versions(self) -> dict[str, str]:
        return {}


class Blas(Products):
    """The same products through BLAS."""

    product = through_blas

    def versions(self) -> dict[str, str]:
        import scipy
        import scipy.linalg.cython_blas  # loads the BLAS that Numba calls
        from threadpoolctl import threadpool_info

        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        blas = [  # NumPy brings one of its own; the compiled code calls SciPy's
            f"{Path(pool['filepath']).parent.name}: {pool['internal_api']} {pool['version']}"
            f" {pool.get('architecture', '')}, threads: {pool['num_threads']}"
            for pool in pools
        ]
        return {"scipy": scipy.__version__, "blas": "; ".join(blas)}
