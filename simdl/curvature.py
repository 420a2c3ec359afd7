"""The curvature of the training loss, and how far the samples' gradients differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from simdl.engine.blas import single_thread
from simdl.errors import InputError
from simdl.functional import checked
from simdl.losses import Loss
from simdl.losses import loss as make_loss
from simdl.network import Network
from simdl.parameters import Parameters

TOLERANCE, ITERATIONS = 1e-3, 1000
STEP = 1e-5  # of the central difference: rounding grows as 1 / STEP, curving as STEP^2
FLOOR = 1e-4  # of the shift: a smaller eigenvalue need not be found to a share of itself


class Curvature:
    """The mean loss of a network over a data set, in float64 and inference mode.

    Parameters
    ----------
    net : in float32 its parameters are cast
    x, t : data as the engine takes them, (n, inputs) and (n, targets)
    """

    def __init__(self, net: Network, loss: Loss, x: np.ndarray, t: np.ndarray) -> None:
        from simdl._jit import address
        from simdl.engine import records as r
        from simdl.engine.curvature import Twin
        from simdl.engine.program import EVALUATION_ROWS

        twin = Network(net.input_shape, net.layers, net.initializer, "float64")
        program, rows = twin.program, min(EVALUATION_ROWS, len(x))
        layout, plan = program.layout(rows), r.records(r.PLAN, 1)
        layout.ops.epsilon = net.program.layout(
            rows
        ).ops.epsilon  # a default that the precision sets
        function, plan[0].loss_option = loss.rule()
        plan[0].loss = address(function, r.loss_signature("float64"))
        plan[0].batch, plan[0].output = rows, layout.offsets[program.output.slot]
        plan[0].n_input, plan[0].n_output = program.input.size, program.output.size
        flat, grads = (r.aligned(twin.n_parameters, "float64") for _ in range(2))
        at = layout.tensors(flat, grads, np.zeros(program.n_buffers))
        self._twin = Twin(
            plan, r.records(r.RUN, 1), layout.ops, at, np.zeros(rows),
            np.zeros((rows, t.shape[1])), x.astype(float), t.astype(float),
        )  # fmt: skip

    def _set(self, params: Parameters) -> np.ndarray:
        self._twin.at.params[:] = params.flat
        self._twin.at.buffers[:] = params.buffers.flat
        return self._twin.at.params.copy()

    def noise_scale(self, params: Parameters) -> float:
        """Return tr(S) / |G|^2, as `gradient_noise_scale` says."""
        from simdl.engine.curvature import gradient_variance, mean_gradient

        mean = np.zeros_like(self._set(params))
        with single_thread(), np.errstate(divide="ignore", invalid="ignore"):
            mean_gradient(mean, self._twin)
            return float(np.float64(gradient_variance(mean, self._twin)) / (mean**2).sum())

    def sharpness(
        self, params: Parameters, tolerance: float = TOLERANCE, iterations: int = ITERATIONS
    ) -> float:
        """Return the Hessian's largest eigenvalue, as `sharpness` says."""
        from simdl.kernels.philox import STREAM_PROBE, normal

        w = self._set(params)
        start = np.zeros_like(w)
        normal(start, 0, STREAM_PROBE, 0, 0)
        start /= _norm(start)
        with single_thread(), np.errstate(over="ignore", invalid="ignore"):
            search = _Search(self._twin, w, tolerance, iterations)
            value, done, v = search.power(start, 0.0)
            if done and value >= 0:
                return value
            # the dominant one is negative, or two balance: shifted, none is
            return search.power(v if value > 0 else start, search.radius)[0]


class _Search:
    """Power iteration on H + shift; `radius` is the largest |H v| met, `left` iterations to go."""

    def __init__(self, twin: Any, w: np.ndarray, tolerance: float, iterations: int) -> None:
        self._twin, self._w, self._tolerance = twin, w, tolerance
        self._step = STEP * max(1.0, _norm(w) / np.sqrt(max(1, w.size)))
        self._behind = np.zeros_like(w)
        self.left, self.radius = iterations, 0.0

    def _product(self, v: np.ndarray) -> np.ndarray:
        from simdl.engine.curvature import hessian_vector

        out = np.zeros_like(v)
        hessian_vector(out, self._twin, self._w, v, self._step, self._behind)
        return out

    def power(self, v: np.ndarray, shift: float) -> tuple[float, bool, np.ndarray]:
        """Return the Rayleigh quotient without the shift, whether v is an eigenvector, and v.

        Without a shift it gives up where |H v| no longer grows and v still is none: eigenvalues of
        both signs balance.
        """
        value = before = 0.0
        while self.left > 0:
            self.left -= 1
            product = self._product(v)
            value, length = float((v * product).sum()), _norm(product)
            if not np.isfinite(length):
                return np.nan, True, v
            self.radius = max(self.radius, length)
            wanted = self._tolerance * max(abs(value), FLOOR * shift)
            if _norm(product - value * v) <= wanted:
                return value, True, v
            if shift == 0 and length <= before * (1 + 1e-2 * self._tolerance**2):
                return value, False, v
            before = length
            v = product + shift * v
            v /= _norm(v)
        return value, False, v


def _norm(v: np.ndarray) -> float:
    """|v| without BLAS, whose sums depend on its threads."""
    return float(np.sqrt((v * v).sum()))


def sharpness(
    net: Network, params: Parameters, x: Any, t: Any, loss: Any = "softmax_cross_entropy",
    *, tolerance: float = TOLERANCE, iterations: int = ITERATIONS,
) -> float:  # fmt: skip
    """Return the largest eigenvalue of the Hessian of the mean loss, in inference mode.

    Power iteration, shifted where the largest absolute value belongs to a negative eigenvalue.
    Products of the Hessian with a vector are central differences of float64 gradients. The start
    is always the same. At kinks (ReLU) the curvature is that beside them.

    Parameters
    ----------
    x, t : samples (n, *input_shape) and targets, as `value_and_grad` takes them
    tolerance : the iteration ends where \\|H v - value v\\| is at most this share of the value; the
        value itself is then much nearer to an eigenvalue, its error goes with the square
    iterations : products at most; the value reached by then is returned, which is no larger than
        the eigenvalue

    Raises
    ------
    InputError
        If something does not fit the network.
    """
    if isinstance(tolerance, bool) or not 0 < tolerance < 1:
        raise InputError(f"tolerance: {tolerance!r}: must be above 0 and below 1")
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise InputError(f"iterations: {iterations!r}: must be a whole number above 0")
    return _curvature(net, params, x, t, loss).sharpness(params, tolerance, iterations)


def gradient_noise_scale(
    net: Network, params: Parameters, x: Any, t: Any, loss: Any = "softmax_cross_entropy"
) -> float:
    """Return tr(S) / |G|^2 (McCandlish et al. 2018, section 2.2), in samples, in inference mode.

    G is the gradient of the mean loss over the samples given, and S the covariance of the samples'
    own gradients about it, with 1/n: the samples are the population. Float64.

    Parameters
    ----------
    x, t : samples (n, *input_shape) and targets, as `value_and_grad` takes them

    Raises
    ------
    InputError
        If something does not fit the network.
    """
    return _curvature(net, params, x, t, loss).noise_scale(params)


def _curvature(net: Network, params: Parameters, x: Any, t: Any, loss: Any) -> Curvature:
    chosen = make_loss(loss)
    rows, _ = checked(net, params, x)
    targets = chosen.targets(t, net.output_shape, net.dtype, "t")
    if len(targets) != len(rows):
        raise InputError(f"t: {len(targets)} targets: must be {len(rows)}, one a sample of x")
    return Curvature(net, chosen, rows.reshape(len(rows), -1), targets)
