"""Receptive fields of networks: published ones, and against where gradients really come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl.scenario.published import FIELDS, IMAGE, networks, vgg, vgg_head
from simdl.theory.receptive_field import Field, Window, effective_sigma, spread


@pytest.mark.parametrize("name", list(FIELDS))
def test_published_networks(name: str) -> None:
    """Table of Araujo et al. (2019)."""
    found = simdl.receptive_field(networks()[name])
    assert found[-1] == (FIELDS[name], FIELDS[name])


def test_vgg_16() -> None:
    """Fields behind its pools, what its dense layers see, and its published size, unallocated."""
    net = simdl.Network(IMAGE, [*vgg(), *vgg_head()])
    found = simdl.receptive_field(net)
    pools = [i for i, layer in enumerate(net.layers) if isinstance(layer, L.MaxPool2D)]
    assert [found[i][0].size for i in pools] == [6, 16, 44, 100, 212]
    for i in range(31, len(net.layers)):
        assert found[i] == (Field(224, 0, 0), Field(224, 0, 0))
    assert net.n_parameters == 138_357_544
    counts = [simdl.Network(IMAGE, net.layers[:i]).n_parameters for i in (32, 33)]
    assert counts[1] - counts[0] == 102_764_544  # fc6


# --- against gradients ----------------------------------------------------------------------------


def followed(net: simdl.Network, axis: int, unit: int, count: int) -> set[int]:
    """Input positions that a unit behind `count` layers sees, followed back layer by layer."""
    shapes, units = [net.input_shape, *net.shapes], {unit}
    for i in reversed(range(count)):
        layer, length = net.layers[i], shapes[i][axis]
        if isinstance(layer, L.Residual):
            inner = simdl.Network(shapes[i], layer.layers)
            units |= {p for u in units for p in followed(inner, axis, u, len(inner.layers))}
        elif hasattr(layer, "size"):
            window = layer.along(shapes[i])[axis]
            taps = range(0, window.size * window.dilation, window.dilation)
            units = {u * window.stride - window.pad + tap for u in units for tap in taps}
            units = {u for u in units if 0 <= u < length}
    return units


def random_layers(rng: np.random.Generator, axes: int) -> list[Any]:
    """Linear layers: convolutions, means, residual branches; strides beyond the window, too."""
    convolution, pool = ((L.Conv1D, L.AvgPool1D), (L.Conv2D, L.AvgPool2D))[axes - 1]

    def number(low: int, high: int) -> Any:
        drawn = [int(n) for n in rng.integers(low, high + 1, axes)]
        return drawn[0] if axes == 1 else tuple(drawn)

    made: list[Any] = []
    for _ in range(rng.integers(1, 5)):
        kind = rng.integers(4)
        if kind < 2:
            made.append(
                convolution(
                    2,
                    number(1, 3),
                    stride=number(1, 3),
                    padding=number(0, 2),
                    dilation=number(1, 2),
                )
            )
        elif kind == 2:
            made.append(pool(number(2, 3), number(1, 4), number(0, 1)))
        else:
            branch = [convolution(2, 3, padding="same", dilation=int(rng.integers(1, 3)))]
            made += [convolution(2, 1), L.Residual([*branch, L.Identity()])]
    return made


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_field_is_where_gradients_come_from(seed: int, axes: int) -> None:
    """The union of the input gradient's support over random weights, at each layer.

    A unit away from the border has the field's first and last position as first and last of its
    own; at any unit the support is what is found by going back through the windows.
    """
    rng = np.random.default_rng(seed)
    layers = random_layers(rng, axes)
    *_, last = simdl.receptive_field(simdl.Network((9999,) * axes + (1,), layers)).values()
    lengths = tuple(2 * f.padding + f.size + 3 * f.stride for f in last)
    net = simdl.Network((*lengths, 1), layers, dtype="float64")
    found = simdl.receptive_field(net)
    for count, shape in enumerate(net.shapes, 1):
        units = [-(-f.padding // f.stride) for f in found[count - 1]]
        assert all(0 <= unit < length for unit, length in zip(units, shape, strict=False))
        for place in (tuple(units), (0,) * axes):
            total = sum(
                simdl.effective_receptive_field(net, net.init(i), count - 1, place, samples=1)
                for i in range(2)
            )
            along = [followed(net, axis, unit, count) for axis, unit in enumerate(place)]
            want = np.zeros(lengths, bool)
            want[np.ix_(*map(sorted, along))] = True
            assert np.array_equal(total > 0, want)
            if place == tuple(units):
                ends = [(min(positions), max(positions)) for positions in along]
                fields = zip(found[count - 1], place, strict=True)
                assert ends == [field.interval(unit) for field, unit in fields]


def test_behind_what_joins_all_units_see_the_same() -> None:
    layers = [L.Conv1D(2, 3, stride=3), L.GlobalAvgPool(), L.Dense(4), L.Tanh()]
    net = simdl.Network((10, 1), layers)
    found = simdl.receptive_field(net)
    assert [found[i] for i in range(1, 4)] == [(Field(9, 0, 0),)] * 3  # the tenth goes unseen
    for unit in ("centre", 2):
        seen = np.flatnonzero(simdl.effective_receptive_field(net, net.init(0), 2, unit))
        assert seen.tolist() == list(range(9))


def test_a_layer_inside_a_residual() -> None:
    """Its field is the branch's alone; its gradient uses the parameters that are its own."""
    branch = [L.Conv1D(3, 3, padding=1), L.Tanh(), L.Conv1D(2, 3, padding=1)]
    layers = [L.Conv1D(2, 3), L.Residual(branch), L.Conv1D(5, 3)]
    net = simdl.Network((21, 1), layers, dtype="float64")
    found = simdl.receptive_field(net)
    assert list(found) == ["0", "1", "1.0", "1.1", "1.2", "2"]
    assert [found[key][0].size for key in found] == [3, 7, 5, 5, 7, 9]
    assert found["1.2"] == found[1] and found[-1] == found["2"]
    params = net.init(3)
    x = np.random.default_rng(0).normal(size=(4, 21, 1))
    got = simdl.effective_receptive_field(net, params, "1.1", 4, x, samples=3)

    def tanhs(x: np.ndarray) -> np.ndarray:
        first = sum(x[:, i : 19 + i] @ params["0.weight"][i] for i in range(3))
        padded = np.pad(first, ((0, 0), (1, 1), (0, 0)))
        return np.tanh(sum(padded[:, 4 + i] @ params["1.0.weight"][i] for i in range(3)))

    want, step = np.zeros(21), 1e-6
    for i in range(21):
        way = step * (np.arange(21) == i)[:, None]
        want[i] = (((tanhs(x[:3] + way) - tanhs(x[:3] - way)) / (2 * step)) ** 2).mean()
    assert np.allclose(got, want, rtol=1e-6, atol=1e-12)


PRINTED = [(5, 1.83), (10, 2.58), (20, 3.65), (40, 5.16)]


@pytest.mark.parametrize(("depth", "printed"), PRINTED)
def test_effective_field_of_random_convolutions(depth: int, printed: float) -> None:
    """sigma = sqrt(n (k^2 - 1) / 12) (Luo et al. 2016), within 5 %, over 64 networks; a Gaussian.

    A sum of n steps of -1, 0 or 1 has kurtosis 3 - 1.5 / n.
    """
    net = simdl.Network(
        (2 * depth + 11, 1), [L.Conv1D(16, 3, padding=1)] * depth, init="lecun_normal"
    )
    total = sum(
        simdl.effective_receptive_field(net, net.init(seed), samples=1) for seed in range(64)
    )
    assert spread(total) == pytest.approx([printed], rel=0.05)
    assert printed == pytest.approx(effective_sigma([Window(3)] * depth), abs=0.005)
    weights, place = total / total.sum(), np.arange(total.size) - total.size // 2
    centred = place - weights @ place
    kurtosis = weights @ centred**4 / (weights @ centred**2) ** 2
    assert kurtosis == pytest.approx(3 - 1.5 / depth, rel=0.1)


def test_the_effective_share_falls_with_the_root_of_depth() -> None:
    """Of a field of 2 n + 1 inputs; 2 n is what the law says of deep networks."""
    shares = np.array([sigma / (2 * depth) for depth, sigma in PRINTED])
    roots = np.sqrt([depth for depth, _ in PRINTED])
    assert np.allclose(shares * roots, math.sqrt(2 / 3) / 2, rtol=0.005)


def test_inputs_are_drawn_by_seed_and_given_ones_are_used() -> None:
    net = simdl.Network((8, 8, 2), [L.Conv2D(3, 3), L.Tanh(), L.Conv2D(2, 3), L.Flatten()])
    params = net.init(0)
    field = simdl.effective_receptive_field
    default = field(net, params)
    assert default.shape == (8, 8) and default.dtype == float
    assert np.array_equal(default, field(net, params, 2, (2, 2), samples=16, seed=0))
    assert not np.array_equal(default, field(net, params, seed=1))
    x = np.random.default_rng(1).normal(size=(5, 8, 8, 2))
    each = np.mean([field(net, params, x=x[i : i + 1]) for i in range(5)], axis=0)
    assert np.allclose(field(net, params, x=x), each, rtol=1e-6)
    assert np.array_equal(field(net, params, x=x, samples=2), field(net, params, x=x[:2]))


# --- for people -----------------------------------------------------------------------------------

TABLE = """\
     layer      output shape     size  stride  padding     centre
-----------------------------------------------------------------
     input      (12, 10, 1)         1       1        0          0
0    Conv2D     (12, 10, 2)         3       1        1          0
1    Residual   (12, 10, 2)         5       1        2          0
1.0    Conv2D   (12, 10, 2)         5       1        2          0
2    MaxPool2D  (6, 10, 2)      6 x 5   2 x 1        2    0.5 x 0
3    Flatten    (120,)        12 x 10       -        0  5.5 x 4.5
-----------------------------------------------------------------
in input positions, height x width, one number where they agree; stride -: all units see the same"""


def test_table() -> None:
    branch = L.Residual([L.Conv2D(2, 3, padding=1)])
    layers = [L.Conv2D(2, 3, padding=1), branch, L.MaxPool2D((2, 1)), L.Flatten()]
    table = str(simdl.receptive_field(simdl.Network((12, 10, 1), layers)))
    assert table == TABLE


# --- what is refused ------------------------------------------------------------------------------


class Halved(L.Layer):
    """A layer of a user's own whose units are not ours to know."""

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0] // 2, *shape[1:])


def test_wrong_networks() -> None:
    enlarged = [L.Conv1D(1, 1, stride=2), L.Conv1D(1, 1, padding=1)]
    wrong: Sequence[tuple[Any, str]] = [
        ([], "net: list: must be a simdl.Network"),
        (simdl.Network((6,), [L.Dense(2)]), r"input_shape: \(6,\): has no axes"),
        (simdl.Network((6, 1), [L.Tanh(), Halved()]), r"layers\.1: Halved: turns \(6, 1\) into"),
        (
            simdl.Network((4, 1), [L.Residual(enlarged)]),
            r"layers\.0: Residual: its units lie 1 input positions apart, its branch's 2",
        ),
    ]
    for net, said in wrong:
        with pytest.raises(simdl.InputError, match=said):
            simdl.receptive_field(net)
    one = simdl.Network((1, 1), [L.Residual([L.Conv1D(1, 1, stride=2)])])
    assert simdl.receptive_field(one)[0] == (Field(1, 1, 0),)  # one unit is no stride away


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": 7}, r"layer: 7: unknown \(known: 0, 1\)"),
        ({"layer": "1.0"}, "layer: '1.0': unknown"),
        ({"unit": "center"}, r"unit: 'center': must be 'centre' or a place .*\(0 to 3, 0 to 1\)"),
        ({"unit": (3, 2)}, r"unit: \(3, 2\): must be"),
        ({"unit": (1, 1, 1)}, "unit"),
        ({"samples": 0}, "samples: 0: must be a whole number above 0"),
        ({"seed": -1}, "seed: -1"),
        ({"x": np.zeros((2, 6, 4))}, r"x: shape \(2, 6, 4\): must be \(n, 6, 4, 1\)"),
        ({"x": np.zeros((2, 6, 4, 1)), "samples": 3}, "n at least 3"),
        ({"params": simdl.Network((3,), [L.Dense(2)]).init(0)}, "params: 8, 0 running"),
    ],
    ids=str,
)
def test_wrong_questions(options: dict[str, Any], said: str) -> None:
    net = simdl.Network((6, 4, 1), [L.Conv2D(2, 3), L.Tanh()])
    with pytest.raises(simdl.InputError, match=said):
        simdl.effective_receptive_field(net, options.pop("params", net.init(0)), **options)


def test_a_default_layer_must_have_axes() -> None:
    net = simdl.Network((6, 1), [L.Flatten(), L.Dense(2)])
    with pytest.raises(simdl.InputError, match="layer: None: no layer has axes"):
        simdl.effective_receptive_field(net, net.init(0))
