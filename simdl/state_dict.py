"""Parameters in PyTorch's layout: what ``torch.nn.Module.state_dict`` holds, there and back.

The keys are the same: they count layers as `torch.nn.Sequential` does, if every layer has one
module there. The arrays differ in the order of their axes: PyTorch's weights have their outputs
first, its images their channels. So an array goes over by three moves, into axes, another order of
these, and its shape there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.errors import InputError, Problems, suggest
from simdl.layers.convolution import Convolution
from simdl.layers.dense import Dense
from simdl.layers.structure import Flatten, Residual
from simdl.network import Network

if TYPE_CHECKING:
    from simdl.parameters import Parameters

Shape = tuple[int, ...]
COUNTED = "num_batches_tracked"  # what PyTorch's BatchNorm keeps beside its running statistics


@dataclass(frozen=True)
class Move:
    """How an array goes over: ours as `axes`, in the order `order`, under the shape there."""

    axes: Shape
    order: Shape
    shape: Shape

    def there(self, ours: np.ndarray) -> np.ndarray:
        return ours.reshape(self.axes).transpose(self.order).reshape(self.shape)

    def back(self, theirs: np.ndarray, shape: Shape) -> np.ndarray:
        turned = theirs.reshape([self.axes[axis] for axis in self.order])
        return turned.transpose(np.argsort(self.order)).reshape(shape)


def to_torch(net: Any, params: Parameters | None = None) -> dict[str, Any]:
    """Return parameters and running statistics as PyTorch's `state_dict`, new tensors on the CPU.

    Weights of Dense become (out, in), of convolutions (out, in, *size). A Flatten behind an image
    reads it channels first there: the Dense behind it, and what lies between, are put in that
    order, so that a `torch.nn.Sequential` of the same layers gives the same outputs, for x with
    the channels moved first. A Residual is a Sequential that adds its input; GlobalAvgPool one
    module. Batch normalizations get a `num_batches_tracked` of 0.

    Parameters
    ----------
    net : the network, with its `params`; or a `Result` alone

    Raises
    ------
    InputError
        If `params` do not fit the network, PyTorch is not installed, or a layer makes groups of
        the elements of a flattened image, which are others there.
    """
    if params is None and hasattr(net, "training"):
        net, params = net.training.net, net.params
    from simdl.parameters import as_parameters

    try:
        import torch
    except ImportError:
        raise InputError("to_torch: needs PyTorch: pip install torch") from None
    made = {name: torch.tensor(value) for name, value in to_arrays(net, params).items()}
    for name in as_parameters(params, "params").buffers:
        path, _, last = name.rpartition(".")
        if last == "running_mean":
            made[f"{path}.{COUNTED}"] = torch.tensor(0)
    return made


def to_arrays(net: Network, params: Any) -> dict[str, np.ndarray]:
    """Return what `to_torch` does as arrays, without PyTorch; some are views of `params`."""
    from simdl.parameters import as_parameters

    moves = _moves(net)
    params = as_parameters(params, "params")
    ours, wanted = _both(params), _shapes(net)
    shapes = {name: value.shape for name, value in ours.items()}
    if shapes != wanted:
        odd = sorted(name for name in {*shapes, *wanted} if shapes.get(name) != wanted.get(name))
        raise InputError(
            *(
                f"params: {name!r}: shape {shapes.get(name)}: must be {wanted.get(name)}, as "
                "net.init returns"
                for name in odd
            )
        )
    return {name: moves[name].there(value) for name, value in ours.items()}


def from_torch(net: Network, state_dict: Mapping[str, Any]) -> Parameters:
    """Return the parameters that `to_torch` would turn into `state_dict`, running statistics too.

    Parameters
    ----------
    state_dict : name -> tensor or array in PyTorch's layout; `num_batches_tracked` is not needed

    Raises
    ------
    InputError
        If a name is missing or unknown, or an array has another shape; all problems at once.
    """
    if not isinstance(state_dict, Mapping):
        raise InputError(
            f"state_dict: {type(state_dict).__name__}: must be a mapping of names to tensors, such "
            "as module.state_dict() returns"
        )
    moves = _moves(net)
    params = net.wrap(np.zeros(net.n_parameters, net.dtype))
    ours, problems = _both(params), Problems()
    for name in state_dict:
        path, _, last = str(name).rpartition(".")
        if name not in ours and not (last == COUNTED and f"{path}.running_mean" in ours):
            problems.append(f"state_dict: {name!r}: no such parameter{suggest(str(name), ours)}")
    for name, value in ours.items():
        if name not in state_dict:
            problems.append(f"state_dict: {name!r}: missing: of shape {moves[name].shape}")
            continue
        given, shape = _array(state_dict[name]), moves[name].shape
        if given.dtype.kind not in "biuf":
            problems.append(f"state_dict: {name!r}: {given.dtype}: must hold real numbers")
        elif given.shape != shape:
            problems.append(f"state_dict: {name!r}: shape {given.shape}: must be {shape}")
        else:
            value[...] = moves[name].back(given, value.shape)
    problems.report()
    return params


def _both(params: Parameters) -> dict[str, np.ndarray]:
    """Parameters and running statistics."""
    return {**params, **params.buffers}


def _array(value: Any) -> np.ndarray:
    """A tensor, wherever it lies and whatever its precision, or anything else, as an array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value if value.is_complex() else value.double()).numpy()
    return np.asarray(value)


# --- which array goes how -------------------------------------------------------------------------


def _shapes(net: Network) -> dict[str, Shape]:
    """Name -> shape of parameters and running statistics."""
    program = net.program
    return {entry.name: entry.shape for entry in (*program.parameters, *program.buffers)}


def _moves(net: Network) -> dict[str, Move]:
    """How each of the network's arrays goes over."""
    if not isinstance(net, Network):
        raise InputError(f"net: {type(net).__name__}: must be a simdl.Network")
    layers = dict(_walk(net.layers, "", net.input_shape, net.input_shape, None))
    moves = {}
    for name, shape in _shapes(net).items():
        layer, inside, outside = layers[name.rpartition(".")[0]]
        moves[name] = _move(layer, shape, inside, outside)
    return moves


def _move(layer: Any, shape: Shape, inside: Shape, outside: Shape) -> Move:
    """How an array of `shape` goes over, its layer between samples seen as `inside`, `outside`."""
    if isinstance(layer, Convolution) and len(shape) > 1:
        order = (len(shape) - 1, len(shape) - 2, *range(len(shape) - 2))
        return Move(shape, order, tuple(shape[axis] for axis in order))
    if isinstance(layer, Dense) and len(shape) == 2:
        first, last = _channels_first(len(inside)), _channels_first(len(outside))
        order = (*(len(inside) + axis for axis in last), *first)
        return Move((*inside, *outside), order, shape[::-1])
    if math.prod(shape) == math.prod(outside) and (len(shape) == 1 or shape == outside):
        order = _channels_first(len(outside))  # a number for each element of a sample
        there = shape if len(shape) == 1 else tuple(shape[axis] for axis in order)
        return Move(outside, order, there)
    return Move(shape, tuple(range(len(shape))), shape)


def _channels_first(axes: int) -> Shape:
    return (axes - 1, *range(axes - 1))


Walk = Iterator[tuple[str, tuple[Any, Shape, Shape]]]


def _walk(layers: tuple[Any, ...], path: str, shape: Shape, seen: Shape, end: Shape | None) -> Walk:
    """Yield path -> layer, and its input and output as images, if they are flattened ones.

    `shape` and `seen` are those of the first input. The last Dense of a branch must give its
    output in the order of the branch's input, `end`, which is added to it.
    """
    last = max((i for i, layer in enumerate(layers) if isinstance(layer, Dense)), default=-1)
    for i, layer in enumerate(layers):
        inner = f"{path}.{i}" if path else str(i)
        before, shape = seen, layer.output_shape(shape)
        if isinstance(layer, Residual):
            yield from _walk(layer.layers, inner, shape, seen, seen)
        elif isinstance(layer, Dense):
            seen = end if i == last and end is not None else shape
        elif not isinstance(layer, Flatten) and shape != (math.prod(seen),):
            seen = shape
        elif getattr(layer, "groups", 1) > 1 and 1 < seen[-1] < math.prod(seen):
            raise InputError(
                f"layers.{inner}: {type(layer).__name__}: its groups are neighbours in a flattened "
                "image, which PyTorch flattens in another order: put it before Flatten"
            )
        yield inner, (layer, before, seen)
