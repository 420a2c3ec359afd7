"""Receptive fields: published networks, brute force over index sets, Monte Carlo of the spread."""

from __future__ import annotations

import numpy as np
import pytest

from simdl.scenario.seeds import nth_seed
from simdl.theory.receptive_field import Field, Window, effective_sigma, fields, share, spread

ALEXNET = [
    Window(11, 4), Window(3, 2), Window(5, 1, 2), Window(3, 2), *[Window(3, 1, 1)] * 3, Window(3, 2)
]  # fmt: skip
VGG = [
    window
    for count in (2, 2, 3, 3, 3)
    for window in (*[Window(3, 1, 1)] * count, Window(2, 2))
]  # fmt: skip
# Windows of stride 2 pad one position after the last of an even length, none before the first.
MOBILENET = [Window(3, 2)] + [
    Window(3, stride, 2 - stride) for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
]
RESNET = [Window(7, 2, 3), Window(3, 2)] + [
    Window(3, 2 if block < 3 and unit == count - 1 else 1, 1)
    for block, count in enumerate((3, 4, 6, 3))
    for unit in range(count)
]


@pytest.mark.parametrize(
    ("windows", "size", "stride", "padding"),
    [(ALEXNET, 195, 32, 64), (VGG, 212, 32, 90), (MOBILENET, 315, 32, 126), (RESNET, 483, 32, 239)],
    ids=["alexnet_v2", "vgg_16", "mobilenet_v1", "resnet_v1_50"],
)
def test_published_networks(windows: list[Window], size: int, stride: int, padding: int) -> None:
    """Table of Araujo et al. (2019)."""
    assert fields(windows)[-1] == Field(size, stride, padding)


def test_vgg_after_each_pool() -> None:
    found = [f.size for f, w in zip(fields(VGG), VGG, strict=True) if w.stride == 2]
    assert found == [6, 16, 44, 100, 212]


def seen(windows: list[Window], unit: int) -> set[int]:
    """Positions that a unit sees, followed back window by window."""
    units = {unit}
    for w in reversed(windows):
        units = {
            u * w.stride - w.padding + tap * w.dilation for u in units for tap in range(w.size)
        }
    return units


@pytest.mark.parametrize("seed", range(40))
def test_fields_enclose_what_is_followed_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = [
        Window(*(int(rng.integers(low, 5)) for low in (1, 1, 0, 1)))
        for _ in range(rng.integers(1, 6))
    ]
    for count, field in enumerate(fields(windows), 1):
        for unit in (0, 3):
            positions = seen(windows[:count], unit)
            assert field.interval(unit) == (min(positions), max(positions))
        assert field.centre == sum(field.interval(0)) / 2


def test_whole_is_cut_to_the_input() -> None:
    padded, bare = Field().through(Window(3, 2, 1)), Field().through(Window(3, 2))
    assert padded.whole(units=4, length=8) == Field(8, 0, 0)
    assert bare.whole(units=3, length=8) == Field(7, 0, 0)  # the eighth position goes unseen
    assert bare.whole(units=3, length=8).interval(2) == (0, 6)
    outside = Field().through(Window(1, 9, 3))
    assert outside.whole(units=1, length=2).size == 0  # it lies in the padding


def test_a_sum_sees_what_either_sees() -> None:
    assert Field(5, 2, 1).joined(Field(3, 2, 2)) == Field(6, 2, 2)
    assert Field(9, 2, 4).joined(Field(3, 2, 2)) == Field(9, 2, 4)
    with pytest.raises(ValueError, match="stride: 2 and 1"):
        Field(5, 2, 1).joined(Field())


@pytest.mark.parametrize(("layers", "sigma"), [(5, 1.83), (10, 2.58), (20, 3.65), (40, 5.16)])
def test_effective_sigma_printed(layers: int, sigma: float) -> None:
    assert effective_sigma([Window(3)] * layers) == pytest.approx(sigma, abs=0.005)


def test_effective_sigma_is_that_of_random_paths() -> None:
    """The squared gradient counts paths; a path steps by one tap a layer."""
    windows = [Window(3, 2), Window(5, 1, dilation=2), Window(2, 2), Window(4)]
    rng = np.random.default_rng(0)
    ends, stride = np.zeros(200_000), 1
    for w in windows:
        ends += rng.integers(0, w.size, ends.size) * w.dilation * stride
        stride *= w.stride
    assert effective_sigma(windows) == pytest.approx(ends.std(), rel=0.01)
    counts = np.bincount(ends.astype(int), minlength=fields(windows)[-1].size)
    assert counts.size == fields(windows)[-1].size
    assert spread(counts) == pytest.approx([ends.std()])


def test_share_falls_as_the_root_of_depth() -> None:
    shares = [share([Window(3)] * n) * np.sqrt(n) for n in (50, 200, 800)]
    assert shares == pytest.approx([2 * np.sqrt(2 / 3)] * 3, rel=0.011)


def test_spread_takes_each_axis_for_itself() -> None:
    rows, columns = np.array([1.0, 2, 1]), np.array([1.0, 0, 0, 0, 1])
    assert spread(np.outer(rows, columns)) == pytest.approx([np.sqrt(0.5), 2])


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [1.0, np.nan], [np.inf, 1.0]])
def test_spread_refuses_what_has_no_mass(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        spread(weights)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"stride": 0}, {"padding": -1}, {"dilation": 1.5}])
def test_wrong_windows(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Window(**{"size": 3, **wrong})


def test_networks_of_replicates_are_distinct() -> None:
    made = {nth_seed(seed, k) for seed in range(64) for k in range(4096)}
    assert len(made) == 64 * 4096
