"""Receptive fields of a network: which part of the input a unit sees, and how much it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.errors import InputError, suggest
from simdl.layers.structure import Residual
from simdl.layers.windows import NAMES, Windowed
from simdl.network import Network, check_seed
from simdl.theory.receptive_field import Field, Window

if TYPE_CHECKING:
    from simdl.parameters import Parameters

ROWS = 32  # gradients pulled back at once
SAMPLES = 16  # drawn where no inputs are given


@dataclass(frozen=True)
class Seen:
    """What stands behind a layer: its kind, the shape of a sample, and the field along each axis.

    Behind a layer that joins all positions `shape` has no axes left, and the fields' stride is 0.
    """

    kind: str
    shape: tuple[int, ...]
    fields: tuple[Field, ...]

    def units(self, axis: int) -> int:
        """Units along an axis."""
        return self.shape[axis] if len(self.shape) > 1 else 1


class ReceptiveFields(Mapping[str, tuple[Field, ...]]):
    """Maps each layer's path, "2" or "3.0", to its :class:`simdl.theory.receptive_field.Field` s.

    There is one an axis, (length,) or (height, width). ``fields[2]`` is the third layer of the
    network, ``fields[-1]`` the last; printed it is a table.

    Attributes
    ----------
    axes : their names
    input_shape : shape of one sample
    seen : path -> what stands behind the layer
    """

    def __init__(self, net: Network, seen: Mapping[str, Seen]) -> None:
        self.axes = NAMES[len(net.input_shape) - 1]
        self.input_shape = net.input_shape
        self.seen = dict(seen)

    def __getitem__(self, layer: int | str) -> tuple[Field, ...]:
        return self.seen[self.path(layer)].fields

    def __iter__(self) -> Iterator[str]:
        return iter(self.seen)

    def __len__(self) -> int:
        return len(self.seen)

    def path(self, layer: int | str) -> str:
        """Return a layer's path; raise InputError where there is no such layer."""
        count = sum("." not in path for path in self.seen)
        found = str(layer)
        if isinstance(layer, int | np.integer) and -count <= layer < 0:
            found = str(count + layer)
        if found not in self.seen:
            raise InputError(f"layer: {layer!r}: unknown{suggest(found, self.seen)}")
        return found

    def __repr__(self) -> str:
        rows = [
            ("", "layer", "output shape", "size", "stride", "padding", "centre"),
            ("", "input", str(self.input_shape), *_columns((Field(),))),
        ]
        for path, seen in self.seen.items():
            kind = "  " * path.count(".") + seen.kind
            rows.append((path, kind, str(seen.shape), *_columns(seen.fields)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                f"{cell:<{width}}" if column < 3 else f"{cell:>{width}}"
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, lines))
        axes = " x ".join(self.axes) + (", one number where they agree" if self.axes[1:] else "")
        note = f"in input positions, {axes}; stride -: all units see the same"
        return "\n".join([lines[0], rule, *lines[1:], rule, note])


def _columns(fields: tuple[Field, ...]) -> tuple[str, ...]:
    """Size, stride, padding and centre, as the table shows them."""

    def cell(numbers: list[Any]) -> str:
        texts = [f"{number:g}" for number in numbers]
        return texts[0] if len(set(texts)) == 1 else " x ".join(texts)

    return (
        cell([f.size for f in fields]),
        cell([f.stride for f in fields]) if any(f.stride for f in fields) else "-",
        cell([f.padding for f in fields]),
        cell([f.centre for f in fields]),
    )


# --- what a unit can see --------------------------------------------------------------------------


def receptive_field(net: Network) -> ReceptiveFields:
    """Return size, stride, padding and centre of the receptive field behind every layer.

    Convolutions and poolings widen it (Araujo et al. 2019, :mod:`simdl.theory.receptive_field`);
    what works position by position leaves it, and so does a normalization, whose statistics count
    as constants; a sum joins the fields of what it adds; behind Flatten, Dense and GlobalAvgPool
    all units see the same, all that any unit before saw, cut to the input.

    Raises
    ------
    InputError
        If samples have no axes beside their channels, a layer of a user's own changes their number,
        or a Residual adds units that lie apart by other strides.
    """
    if not isinstance(net, Network):
        raise InputError(f"net: {type(net).__name__}: must be a simdl.Network")
    axes = len(net.input_shape) - 1
    if axes not in NAMES:
        raise InputError(
            f"input_shape: {net.input_shape}: has no axes to see along: must be (length, channels) "
            "or (height, width, channels)"
        )
    found: dict[str, Seen] = {}
    _follow(net, net.layers, "", Seen("input", net.input_shape, (Field(),) * axes), found)
    return ReceptiveFields(net, found)


def _follow(
    net: Network, layers: tuple[Any, ...], path: str, seen: Seen, found: dict[str, Seen]
) -> Seen:
    """Note in `found` what stands behind each of `layers`; return the last."""
    for i, layer in enumerate(layers):
        inner = f"{path}.{i}" if path else str(i)
        found[inner] = seen  # its place: a Residual stands before what is in it
        if isinstance(layer, Residual):
            branch = _follow(net, layer.layers, inner, seen, found)
            fields = tuple(_joined(axis, seen, branch, inner) for axis in range(len(seen.fields)))
        else:
            fields = _behind(net, layer, inner, seen)
        seen = Seen(type(layer).__name__, layer.output_shape(seen.shape), fields)
        found[inner] = seen
    return seen


def _behind(net: Network, layer: Any, path: str, seen: Seen) -> tuple[Field, ...]:
    """The fields behind one layer."""
    shape = layer.output_shape(seen.shape)
    if isinstance(layer, Windowed):
        pairs = zip(seen.fields, layer.along(seen.shape), strict=True)
        return tuple(f.through(Window(a.size, a.stride, a.pad, a.dilation)) for f, a in pairs)
    if len(seen.shape) == 1 or shape[:-1] == seen.shape[:-1]:
        return seen.fields
    if len(shape) == 1:
        triples = zip(seen.fields, seen.shape, net.input_shape, strict=False)
        return tuple(field.whole(units, length) for field, units, length in triples)
    raise InputError(
        f"layers.{path}: {type(layer).__name__}: turns {seen.shape} into {shape}, and what its "
        "units see is not known: must be a window, keep its axes, or join all positions"
    )


def _joined(axis: int, seen: Seen, branch: Seen, path: str) -> Field:
    """The field of a Residual along one axis."""
    own, other = seen.fields[axis], branch.fields[axis]
    if seen.units(axis) == 1:  # it has no neighbour to be a stride away from
        other = replace(other, stride=own.stride)
    if own.stride != other.stride:
        raise InputError(
            f"layers.{path}: Residual: its units lie {own.stride} input positions apart, its "
            f"branch's {other.stride}: must be the same, that a sum has a receptive field"
        )
    return own.joined(other)


# --- how much of it counts ------------------------------------------------------------------------


def effective_receptive_field(
    net: Network,
    params: Parameters,
    layer: int | str | None = None,
    unit: Any = "centre",
    x: Any = None,
    samples: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return how strongly a unit answers each input position, (height, width) or (length,).

    That is the squared gradient of the unit by the input, in inference: summed over the input's
    channels, averaged over the unit's own and over samples, float64 (Luo et al. 2016). Its spread
    is :func:`simdl.theory.receptive_field.spread`. Each channel of the unit costs a backward pass
    a sample.

    Parameters
    ----------
    layer : number or path of the layer; default the last one that has axes beside its channels
    unit : "centre" (of an even number the second of the middle two) or its place, a number or one
        an axis. In a layer without axes: "centre" for all its units, or the number of one
    x : inputs (n, *input_shape); default standard normal ones. Where all layers are linear the
        gradient does not depend on them: one sample then is enough
    samples : how many: of `x` the first; default all of `x`, or 16 drawn
    seed : of the inputs that are drawn

    Raises
    ------
    InputError
        As of :func:`receptive_field`, or if there is no such layer or unit, or `params` or `x` do
        not fit the network.
    """
    from simdl.functional import vjp

    fields = receptive_field(net)
    part, own = _truncated(net, params, _chosen(fields, layer))
    cotangents = _cotangents(part.output_shape, unit)
    inputs = _inputs(net, x, samples, seed)
    total = np.zeros(net.input_shape[:-1])
    count = len(inputs) * len(cotangents)
    for start in range(0, count, ROWS):
        sample, channel = np.divmod(np.arange(start, min(start + ROWS, count)), len(cotangents))
        rows = np.zeros((len(sample), *part.output_shape), net.dtype)
        rows.reshape(len(sample), -1)[np.arange(len(sample)), cotangents[channel]] = 1
        pulled = vjp(part, own, inputs[sample], rows).input.astype(float)
        total += (pulled**2).sum(axis=(0, -1))
    return total / count


def _chosen(fields: ReceptiveFields, layer: int | str | None) -> str:
    """Path of the layer that is asked for."""
    if layer is not None:
        return fields.path(layer)
    spatial = [p for p, seen in fields.seen.items() if "." not in p and len(seen.shape) > 1]
    if not spatial:
        raise InputError("layer: None: no layer has axes beside its channels: name the one to take")
    return spatial[-1]


def _truncated(net: Network, params: Any, path: str) -> tuple[Network, Parameters]:
    """Return the network up to the layer at `path`, and its share of `params`: their beginning."""
    from simdl.parameters import as_parameters

    at, layers = net.layers, net.layers[:0]
    *outer, last = map(int, path.split("."))
    for number in outer:  # of a Residual around it: what stands before, then its branch
        layers, at = layers + at[:number], at[number].layers
    layers += at[: last + 1]
    flat, buffers = as_parameters(params, "params").flat, params.buffers.flat
    sizes = net.n_parameters, net.program.n_buffers
    if (flat.size, buffers.size) != sizes:
        raise InputError(
            f"params: {flat.size}, {buffers.size} running statistics: must be {sizes[0]} and "
            f"{sizes[1]}, as net.init returns"
        )
    if layers == net.layers:  # lowered once for all calls
        return net, params
    part = Network(net.input_shape, layers, dtype=net.dtype)
    return part, part.wrap(flat[: part.n_parameters], buffers[: part.program.n_buffers])


def _cotangents(shape: tuple[int, ...], unit: Any) -> np.ndarray:
    """Places in a flat sample (channels,) whose gradients are wanted."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    axes = shape[:-1] or shape
    if isinstance(unit, str) and unit == "centre":
        return places[tuple(length // 2 for length in shape[:-1])]
    given = unit if isinstance(unit, tuple | list) else (unit,) * len(axes)
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in given)
    if not whole or len(given) != len(axes) or not all(map(lambda i, n: 0 <= i < n, given, axes)):
        wanted = ", ".join(f"0 to {n - 1}" for n in axes)
        raise InputError(f"unit: {unit!r}: must be 'centre' or a place in the layer, ({wanted})")
    return np.atleast_1d(places[tuple(given)])


def _inputs(net: Network, x: Any, samples: Any, seed: int) -> np.ndarray:
    """The inputs at which to take gradients."""
    is_number = isinstance(samples, int | np.integer) and not isinstance(samples, bool)
    if samples is not None and not (is_number and samples > 0):
        raise InputError(f"samples: {samples!r}: must be a whole number above 0, or None")
    if x is None:
        from simdl.kernels import philox

        drawn = np.empty((samples or SAMPLES) * int(np.prod(net.input_shape)))
        philox.normal(drawn, check_seed(seed), philox.STREAM_USER, 0, 0)
        return drawn.reshape(-1, *net.input_shape)
    given = np.asarray(x)
    if given.shape[1:] != net.input_shape or len(given) < (samples or 1):
        wanted = ", ".join(map(str, net.input_shape))
        raise InputError(
            f"x: shape {given.shape}: must be (n, {wanted}), n at least {samples or 1}"
        )
    return given[:samples]
