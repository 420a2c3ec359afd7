"""Philox4x32-10: published vectors, distributions, and no trace of one stream in another.

Every draw is fixed by its seed, so a bound that holds holds always: the bounds are those of chance
(four standard errors, or a chance of 1e-4), not of what this generator happens to give.
"""

from __future__ import annotations

import itertools

import naive
import numpy as np
import pytest
from scipy import stats

from simdl.kernels import philox

RARE = 1e-4
PUBLISHED = [  # Random123 1.14, kat_vectors: counter, key, result
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def hexadecimal(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def uniform(n: int, seed: int = 1, stream: int = 6, step: int = 0, op: int = 0) -> np.ndarray:
    out = np.empty(n)
    philox.uniform(out, seed, stream, step, op)
    return out


def normal(n: int, seed: int = 1, stream: int = 6, step: int = 0, op: int = 0) -> np.ndarray:
    out = np.empty(n)
    philox.normal(out, seed, stream, step, op)
    return out


def permutation(n: int, seed: int = 1, stream: int = 1, step: int = 0) -> np.ndarray:
    out = np.empty(n, np.int64)
    philox.permutation(out, seed, stream, step)
    return out


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_published_vectors(counter: str, key: str, result: str) -> None:
    four, two = hexadecimal(counter), hexadecimal(key)
    assert [int(word) for word in philox.philox4x32(*four, *two)] == hexadecimal(result)
    assert list(naive.philox(four, two)) == hexadecimal(result)


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (2**32 - 1, 6, 10**6, 77), (12345, 1, 3, 2)])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 63])
def test_as_the_naive_reference(n: int, place: tuple[int, int, int, int]) -> None:
    out = np.empty(n, np.uint32)
    philox.words(out, *place)
    assert out.tolist() == naive.words(n, *place)
    assert np.array_equal(uniform(n, *place), naive.uniform(n, *place))
    assert np.allclose(normal(n, *place), naive.normal(n, *place), rtol=1e-14, atol=1e-15)
    if n:
        assert permutation(n, *place[:3]).tolist() == naive.permutation(n, *place[:3])
    for p in (0.0, 0.3, 1.0):
        drops = np.empty(n)
        philox.bernoulli(drops, p, *place)
        assert np.array_equal(drops, naive.bernoulli(n, p, *place))


@pytest.mark.parametrize("draw", [uniform, normal])
def test_a_prefix_does_not_depend_on_the_length(draw) -> None:
    whole = draw(1000)
    for n in range(40):
        assert np.array_equal(draw(n), whole[:n])


@pytest.mark.parametrize("draw", [philox.uniform, philox.normal])
def test_single_precision_is_double_precision_rounded(draw) -> None:
    single, double = np.empty(9999, np.float32), np.empty(9999)
    draw(single, 5, 6, 7, 8)
    draw(double, 5, 6, 7, 8)
    assert np.array_equal(single, double.astype(np.float32))


# --- distributions --------------------------------------------------------------------------------


def test_uniform_moments_and_range() -> None:
    n = 1_000_000
    u = uniform(n)
    assert 0 < u.min() < 1e-5 and 1 - 1e-5 < u.max() < 1
    for k in range(1, 5):
        error = np.sqrt((1 / (2 * k + 1) - 1 / (k + 1) ** 2) / n)
        assert abs((u**k).mean() - 1 / (k + 1)) < 4 * error


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_uniform_is_uniform(seed: int) -> None:
    u = uniform(1_000_000, seed)
    assert stats.chisquare(np.bincount((u * 1000).astype(int), minlength=1000)).pvalue > RARE
    low = np.empty(400_000, np.uint32)  # the lowest byte, too
    philox.words(low, seed, 6, 0, 0)
    assert stats.chisquare(np.bincount(low & 255, minlength=256)).pvalue > RARE
    squares = (u[::2] * 30).astype(int) * 30 + (u[1::2] * 30).astype(int)
    assert stats.chisquare(np.bincount(squares, minlength=900)).pvalue > RARE


def test_normal_moments_and_shape() -> None:
    n = 1_000_000
    z = normal(n)
    variances = {1: 1, 2: 2, 3: 15, 4: 96}  # of z^k
    for k, moment in zip(variances, (0, 1, 0, 3), strict=True):
        assert abs((z**k).mean() - moment) < 4 * np.sqrt(variances[k] / n)
    inside = stats.norm.cdf(z)
    assert stats.chisquare(np.bincount((inside * 500).astype(int), minlength=500)).pvalue > RARE
    assert 4.5 < np.abs(z).max() < 6.8  # the largest that 2^-33 allows is 6.76
    squares = z[::2] ** 2 + z[1::2] ** 2  # the two of a pair are independent: chi-square, 2 degrees
    assert stats.kstest(squares[:100_000], stats.chi2(2).cdf).pvalue > RARE


@pytest.mark.parametrize("p", [0.001, 0.3, 0.5, 0.9])
def test_bernoulli_rate(p: float) -> None:
    n = 1_000_000
    out = np.empty(n, np.float32)
    philox.bernoulli(out, p, 1, philox.STREAM_DROPOUT, 0, 0)
    assert set(np.unique(out)) == {0, 1}
    assert abs(out.mean(dtype=float) - p) < 4 * np.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1437])
def test_permutation_is_one(n: int) -> None:
    for step in range(20):
        assert np.array_equal(np.sort(permutation(n, step=step)), np.arange(n))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_permutations_are_equally_likely(n: int) -> None:
    index = {order: i for i, order in enumerate(itertools.permutations(range(n)))}
    drawn = [
        index[tuple(permutation(n, 9, step=step).tolist())] for step in range(200 * len(index))
    ]
    assert stats.chisquare(np.bincount(drawn, minlength=len(index))).pvalue > RARE


def test_every_element_goes_everywhere() -> None:
    n, rounds = 12, 6000
    seen = np.zeros((n, n))
    for step in range(rounds):
        seen[np.arange(n), permutation(n, 3, step=step)] += 1
    expected = rounds / n
    statistic = ((seen - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, (n - 1) ** 2) > RARE


def test_a_biased_shuffle_is_found() -> None:
    """The test itself: swapping with any place, not with a later one, is the usual mistake."""
    rng = np.random.default_rng(10)
    index = {order: i for i, order in enumerate(itertools.permutations(range(4)))}
    counts = np.zeros(len(index))
    for _ in range(200 * len(index)):
        order = list(range(4))
        for i, other in enumerate(rng.integers(0, 4, 4)):
            order[i], order[other] = order[other], order[i]
        counts[index[tuple(order)]] += 1
    assert stats.chisquare(counts).pvalue < RARE


# --- independence ---------------------------------------------------------------------------------

NEIGHBOURS = [
    {"seed": 2}, {"seed": 0}, {"stream": 5}, {"stream": 0}, {"step": 1}, {"step": 4}, {"op": 1},
    {"op": 2}, {"seed": 2, "stream": 5}, {"step": 1, "op": 1}, {"seed": 2**31}, {"step": 2**20},
]  # fmt: skip


@pytest.mark.parametrize("other", NEIGHBOURS, ids=str)
def test_neighbours_do_not_correlate(other: dict[str, int]) -> None:
    n = 200_000
    a, b = normal(n), normal(n, **other)
    bound = 4.5 / np.sqrt(n)  # of 12 x 6 correlations
    assert abs(np.corrcoef(a, b)[0, 1]) < bound
    assert abs(np.corrcoef(a**2, b**2)[0, 1]) < bound
    for shift in (1, 2, 3, 4):
        assert abs(np.corrcoef(a[shift:], b[:-shift])[0, 1]) < bound


def test_no_correlation_along_a_stream() -> None:
    z = normal(400_000)
    for shift in range(1, 33):
        assert abs(np.corrcoef(z[shift:], z[:-shift])[0, 1]) < 4.5 / np.sqrt(z.size - shift)


@pytest.mark.parametrize("axis", ["seed", "stream", "step", "op"])
def test_first_numbers_of_many_streams_are_uniform(axis: str) -> None:
    """Where trials differ in one coordinate only, their first numbers are a uniform sample."""
    first = np.array([uniform(1, **{axis: i})[0] for i in range(20_000)])
    assert stats.chisquare(np.bincount((first * 100).astype(int), minlength=100)).pvalue > RARE
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 4 / np.sqrt(first.size)
    assert len(set(first)) > first.size - 20


def test_streams_have_different_numbers() -> None:
    streams = [getattr(philox, name) for name in dir(philox) if name.startswith("STREAM_")]
    assert sorted(streams) == list(range(8))
    starts = {uniform(1, stream=stream)[0] for stream in streams}
    assert len(starts) == len(streams)
