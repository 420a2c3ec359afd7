"""One pass through a network, as pure functions: forward, value_and_grad, vjp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.engine.blas import single_thread
from simdl.errors import InputError
from simdl.losses import loss as make_loss
from simdl.network import Network, check_seed
from simdl.parameters import Parameters, as_parameters, check_variances

if TYPE_CHECKING:
    from simdl.engine.program import Value


@dataclass(frozen=True)
class Pullback:
    """What `vjp` returns.

    Attributes
    ----------
    output : (n, *output_shape) the network's output
    input : (n, *input_shape) gradient at the input, per sample
    params : gradient by the parameters, summed over the samples
    layers : gradient at each layer's output, per sample (n, *shape): ``layers[2]`` for a layer of
        the network, ``layers["3.0"]`` for one inside a Residual. Identity and Flatten hand their
        input on: where one opens a branch, its output is the fork's and has the whole gradient
    outputs : each layer's output (n, *shape), under the same keys
    """

    output: np.ndarray
    input: np.ndarray
    params: Parameters
    layers: Mapping[int | str, np.ndarray]
    outputs: Mapping[int | str, np.ndarray]


class _Pass:
    """One batch on its way through a network: buffers, and the compiled runs over them."""

    def __init__(
        self, net: Network, params: Parameters, x: Any, training: bool, seed: int, to_input: bool
    ) -> None:
        from simdl.engine.records import RUN, records

        rows, buffers = checked(net, params, x)
        self.net, program = net, net.program
        self.n = len(rows)
        self.layout = program.layout(self.n, to_input)
        grads = np.zeros_like(params.flat)
        self.at = self.layout.tensors(params.flat, grads, buffers)
        self.run = records(RUN, 1)
        self.run[0].rows, self.run[0].training = self.n, int(training)
        self.run[0].seed = check_seed(seed)
        self.value(program.input)[:] = rows

    def value(self, value: Any) -> np.ndarray:
        return self.layout.view(self.at.arena, value)

    def delta(self, value: Any) -> np.ndarray:
        return self.layout.view(self.at.deltas, value)

    def forward(self) -> np.ndarray:
        from simdl.engine import passes

        with single_thread():
            passes.forward(self.layout.ops, self.run[0], self.at)
        return self.value(self.net.program.output)

    def backward(self) -> None:
        from simdl.engine import passes

        with single_thread():
            passes.backward(self.layout.ops, self.run[0], self.at)


def checked(net: Network, params: Parameters, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return x as (n, *input_shape) of the network's precision, and the running statistics.

    Raises
    ------
    InputError
        If `x` or `params` do not fit the network.
    """
    _check(net, params)
    rows = _batch(net, x)
    if params.flat.shape != (net.n_parameters,) or params.flat.dtype != net.dtype:
        raise InputError(
            f"params: {params.flat.size} of {params.flat.dtype}: must be "
            f"{net.n_parameters} of {net.dtype}, as net.init returns"
        )
    return rows, _buffers(net, params)


def _check(net: Any, params: Any) -> None:
    """Raise InputError where arguments are swapped, or are not what compiled code may read."""
    if not isinstance(net, Network):
        raise InputError(f"net: {type(net).__name__}: must be a simdl.Network")
    as_parameters(params, "params")


def _buffers(net: Network, params: Parameters) -> np.ndarray:
    """Return the running statistics (b,), checked as the parameters are."""
    count = net.program.n_buffers
    flat = as_parameters(params.buffers, "params.buffers").flat
    if flat.shape != (count,) or flat.dtype != net.dtype:
        raise InputError(
            f"params.buffers: {flat.size} of {flat.dtype}: must be {count} of {net.dtype}"
        )
    check_variances(params.buffers)
    return flat


def _numbers(given: Any, key: str) -> np.ndarray:
    """Return `given` as an array of real numbers."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):
        raise InputError(f"{key}: {type(given).__name__}: must be an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{key}: {array.dtype}: must hold numbers")
    return array


def _batch(net: Network, x: Any) -> np.ndarray:
    """Return x as (n, *input_shape) of the network's precision."""
    rows = _numbers(x, "x")
    if rows.ndim != len(net.input_shape) + 1 or rows.shape[1:] != net.input_shape:
        wanted = ", ".join(map(str, net.input_shape))
        raise InputError(f"x: shape {rows.shape}: must be (n, {wanted}) for this network")
    if len(rows) == 0:
        raise InputError("x: no samples: must hold at least one")
    return np.ascontiguousarray(rows, net.dtype)


def forward(
    net: Network, params: Parameters, x: Any, training: bool = False, seed: int = 0
) -> np.ndarray:
    """Return the network's output (n, *output_shape) for x (n, *input_shape).

    Parameters
    ----------
    training : whether layers behave as in training; only then `params.buffers` change, in place
    seed : of what is drawn in training

    Raises
    ------
    InputError
        If `x` or `params` do not fit the network.
    """
    if training:
        return _Pass(net, params, x, True, seed, False).forward().copy()
    from simdl.engine.program import EVALUATION_ROWS

    _check(net, params)
    rows = _batch(net, x)
    out = np.empty((len(rows), *net.output_shape), net.dtype)
    padded = np.zeros((EVALUATION_ROWS, *net.input_shape), net.dtype)
    ready = _Pass(net, params, padded, False, seed, False)
    for start in range(0, len(rows), EVALUATION_ROWS):
        part = rows[start : start + EVALUATION_ROWS]
        ready.value(net.program.input)[: len(part)] = part
        out[start : start + len(part)] = ready.forward()[: len(part)]
    return out


def value_and_grad(
    net: Network,
    params: Parameters,
    x: Any,
    t: Any,
    loss: Any = "softmax_cross_entropy",
    training: bool = True,
    seed: int = 0,
) -> tuple[float, Parameters]:
    """Return the mean loss over the batch and its gradient by the parameters.

    Parameters
    ----------
    x : (n, *input_shape)
    t : class indices (n,), or numbers (n,) or (n, k)
    loss : name, table or instance
    training : batch statistics and dropout, as in a step; False: as in inference
    seed : of dropout's masks, those of step 0

    Returns
    -------
    float, Parameters
        The loss, without penalties; its gradient under the parameters' names.

    Raises
    ------
    InputError
        If `params`, `x` or `t` do not fit the network.
    """
    chosen = make_loss(loss)
    ready = _Pass(net, params, x, training, seed, False)
    targets = chosen.targets(t, net.output_shape, net.dtype, "t")
    if len(targets) != ready.n:
        raise InputError(f"t: {len(targets)} targets: must be {ready.n}, one a sample of x")
    y = ready.forward()
    function, option = chosen.rule()
    losses = np.empty(ready.n, net.dtype)
    function(losses, ready.delta(net.program.output), y, targets, option)
    ready.backward()
    return float(np.mean(losses, dtype=float)), params.like(ready.at.grads)


def vjp(
    net: Network,
    params: Parameters,
    x: Any,
    cotangent: Any,
    training: bool = False,
    seed: int = 0,
) -> Pullback:
    """Pull a cotangent back to the input, the parameters and every layer.

    Parameters
    ----------
    x : (n, *input_shape)
    cotangent : (n, *output_shape) gradient at the output, per sample
    training, seed : as of `value_and_grad`

    Returns
    -------
    Pullback
        Vector-Jacobian products: each gradient of the sum of output times cotangent.

    Raises
    ------
    InputError
        If `params`, `x` or `cotangent` do not fit the network.
    """
    ready = _Pass(net, params, x, training, seed, True)
    pulled = _numbers(cotangent, "cotangent")
    program = net.program
    wanted = (ready.n, *net.output_shape)
    if pulled.shape != wanted:
        raise InputError(f"cotangent: shape {pulled.shape}: must be {wanted}")
    output = ready.forward().copy()
    ready.delta(program.output)[:] = pulled
    ready.backward()
    places: dict[int | str, Value] = {}
    for path, value in program.layer_outputs.items():
        places[path] = value
        if path.isdigit():
            places[int(path)] = value
    return Pullback(
        output,
        ready.delta(program.input).copy(),
        params.like(ready.at.grads),
        {place: ready.delta(value).copy() for place, value in places.items()},
        {place: ready.value(value).copy() for place, value in places.items()},
    )
