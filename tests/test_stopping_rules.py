"""Stop rules on series made by hand and at random, against Prechelt's notation written out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import naive_stopping as naive
import numpy as np
import pytest

from simdl import stopping as S
from simdl.kernels.stopping import MEMORY_SIZE

NAN, INF = float("nan"), float("inf")
WHY = {1.0: naive.MET, 2.0: naive.STALLED}
FLAT = [1.0] * 12
FALLING = [0.9**i for i in range(12)]


def seen(train: Any, validation: Any, kind: int = 0) -> np.ndarray:
    """The two series as the loop records them, in the column of losses or of accuracies."""
    made = np.full((len(validation), 3, 2), NAN)
    made[:, 0, kind], made[:, 1, kind] = train[: len(made)], validation
    return made


def first(rule: Callable[..., float], options: Any, series: np.ndarray) -> tuple[Any, Any]:
    """The first epoch after which a compiled rule stops, and why; each answer twice.

    The memory of the epochs before and none at all must lead to the same.
    """
    memory, numbers = np.zeros(MEMORY_SIZE), np.array(options, float)
    for n in range(1, len(series) + 1):
        verdict = float(rule(memory, series[:n], numbers))
        assert verdict == float(rule(np.zeros(MEMORY_SIZE), series[:n], numbers)), n
        if verdict != 0:
            return n, WHY[verdict]
    return None, None


def stop(name: str, train: Any, validation: Any, **options: Any) -> tuple[Any, Any]:
    rule, numbers = S.stop({"name": name, **options}).rule(1.0)
    return first(rule, numbers, seen(train, validation))


OFF = {"min_progress": 0.0}
RISING = [1, 0.5, 0.52, 0.53, 0.6]
STRIPS = [1, 0.5, 0.4, 0.6, 0.9, 0.55, 0.2, 0.7, 0.1, 0.8]  # at 2, 4, ...: .5 .6 .55 .7 .8
QUICK = [4, 2, 1, 0.9, 0.8, 0.79]  # P_2 at 2, 4, 6: 500, 55.6, 6.3
DIP = [1, 0.5, 0.6, 0.8, 0.9, 0.6]  # GL at 2, 4, 6: 0, 60, 20
SERIES: dict[str, tuple[str, dict[str, Any], list[float], list[float], Any]] = {
    # rule, options, training and validation loss, and the epoch by hand, with the reason
    "GL 5": ("GL", {"alpha": 5, "k": 5, **OFF}, FALLING, RISING, (4, naive.MET)),
    "GL 3": ("GL", {"alpha": 3, "k": 5, **OFF}, FALLING, RISING, (3, naive.MET)),
    "GL 25": ("GL", {"alpha": 25, "k": 5, **OFF}, FALLING, RISING, (None, None)),
    "PQ .5": ("PQ", {"alpha": 0.5, "k": 2, **OFF}, QUICK, DIP, (4, naive.MET)),
    "PQ 2": ("PQ", {"alpha": 2, "k": 2, **OFF}, QUICK, DIP, (6, naive.MET)),
    "PQ 4": ("PQ", {"alpha": 4, "k": 2, **OFF}, QUICK, DIP, (None, None)),
    "UP 1": ("UP", {"s": 1, "k": 2, **OFF}, FALLING, STRIPS, (4, naive.MET)),
    "UP 2": ("UP", {"s": 2, "k": 2, **OFF}, FALLING, STRIPS, (10, naive.MET)),
    "UP 3": ("UP", {"s": 3, "k": 2, **OFF}, FALLING, STRIPS, (None, None)),
    "UP needs two strips": ("UP", {"s": 1, "k": 5, **OFF}, FALLING, RISING, (None, None)),
    "patience": ("patience", {"epochs": 3}, FALLING, [1, 0.9, 0.95, 0.9, 0.95], (5, naive.MET)),
    "patience, too small a fall": (
        "patience", {"epochs": 3, "min_delta": 0.2}, FALLING, [1, 0.95, 0.85, 0.81], (4, naive.MET),
    ),
    "patience, many small falls": (
        "patience", {"epochs": 3, "min_delta": 0.2}, FALLING, [1, 0.95, 0.85, 0.75], (None, None),
    ),
    "no progress": ("GL", {"alpha": 9, "k": 3, "min_progress": 0.1}, FLAT, FALLING, (3, "stalled")),
    "hardly any progress": (
        "UP", {"s": 1, "k": 3, "min_progress": 0.1}, [1, 0.99995, 0.9999], FALLING[:3],
        (3, "stalled"),
    ),
    "little progress": (
        "UP", {"s": 1, "k": 3, "min_progress": 0.1}, [1, 0.999, 0.998], FALLING[:3], (None, None),
    ),
    "progress ends within a strip": (
        "GL", {"alpha": 9, "k": 4, "min_progress": 0.1}, [*FALLING[:2], *FLAT[:6]], FALLING[:8],
        (8, "stalled"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SERIES)
def test_series_made_by_hand(name: str) -> None:
    rule, options, train, validation, want = SERIES[name]
    assert naive.stop(rule, train, validation, **options) == want
    assert stop(rule, train, validation, **options) == want


def walk(rng: np.random.Generator, n: int = 40) -> tuple[list[float], list[float]]:
    """A training loss that falls and a validation loss that falls, then wanders up."""
    t = np.arange(n)
    noise = rng.normal(scale=0.03, size=(2, n))
    train = np.exp(-t / rng.uniform(2, 15) + noise[0]) + rng.uniform(0, 0.5)
    turned = np.maximum(0, t - rng.integers(3, 20)) * rng.uniform(0, 0.05)
    return train.tolist(), (np.exp(-t / 5 + noise[1]) + 0.4 + turned).tolist()


@pytest.mark.parametrize("seed", range(25))
def test_random_series(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, validation = walk(rng)
    k, limit = int(rng.integers(1, 7)), float(rng.choice([0.0, 0.1, 20.0]))
    for name, options in (
        ("GL", {"alpha": rng.uniform(1, 30), "k": k, "min_progress": limit}),
        ("PQ", {"alpha": 10 ** rng.uniform(-2, 1), "k": k + 1, "min_progress": limit}),
        ("UP", {"s": int(rng.integers(1, 5)), "k": k, "min_progress": limit}),
        ("patience", {"epochs": int(rng.integers(1, 12)), "min_delta": rng.uniform(0, 0.1)}),
    ):
        assert stop(name, train, validation, **options) == naive.stop(
            name, train, validation, **options
        ), (name, options)


# --- slower criteria ------------------------------------------------------------------------------

SLOWER: dict[str, list[dict[str, Any]]] = {
    "GL": [{"alpha": alpha} for alpha in (1, 2, 5, 10, 30)],
    "PQ": [{"alpha": alpha} for alpha in (0.05, 0.1, 0.5, 1, 3)],
    "UP": [{"s": s} for s in (1, 2, 3, 4)],
    "patience": [{"epochs": epochs} for epochs in (1, 2, 4, 8)],
}


def times(name: str, series: tuple[list[float], list[float]], **more: Any) -> list[float]:
    found = (stop(name, *series, **options, **more)[0] for options in SLOWER[name])
    return [INF if epoch is None else epoch for epoch in found]


@pytest.mark.parametrize("name", SLOWER)
def test_slower_criteria_never_stop_earlier(name: str) -> None:
    """Prechelt's trade-off, on the same series; where it is the other way round is seen, too."""
    strictly = 0
    for seed in range(40):
        series = walk(np.random.default_rng(seed))
        for more in ({},) if name == "patience" else ({"k": 3}, {"k": 3, **OFF}):
            found = times(name, series, **more)
            assert found == sorted(found), (seed, found)
            strictly += found[::-1] != sorted(found[::-1])
    assert strictly > 20


# --- numbers at the edge --------------------------------------------------------------------------

EDGES: dict[str, tuple[str, dict[str, Any], list[float], list[float], Any]] = {
    "above a best of 0": ("GL", {"alpha": 5, **OFF}, FALLING, [0, 0, 1e-9], (3, "met")),
    "all 0": ("GL", {"alpha": 5, **OFF}, FALLING, [0, 0, 0], (None, None)),
    "NaN is no rise": ("GL", {"alpha": 5, **OFF}, FALLING, [1, NAN, 1.04, 2], (4, "met")),
    "inf is one": ("GL", {"alpha": 5, **OFF}, FALLING, [1, INF], (2, "met")),
    "inf from the start": ("GL", {"alpha": 5, **OFF}, FALLING, [INF, INF, 1], (None, None)),
    "NaN is no fall": ("patience", {"epochs": 2}, FALLING, [1, NAN, NAN], (3, "met")),
    "NaN from the start": ("patience", {"epochs": 2}, FALLING, [NAN, NAN, 1], (2, "met")),
    "a fall from NaN": ("patience", {"epochs": 2}, FALLING, [NAN, 1, 0.9], (None, None)),
    "NaN between strips": ("UP", {"s": 1, "k": 1, **OFF}, FALLING, [1, NAN, 2, 3], (4, "met")),
    "no error to fall": ("UP", {"s": 1, "k": 2}, [0, 0], [1, 1], (2, "stalled")),
    "training at NaN": ("UP", {"s": 1, "k": 2}, [NAN, NAN], [1, 1], (None, None)),
    "training at inf": ("UP", {"s": 1, "k": 2}, [INF, INF], [1, 1], (None, None)),
    "from inf to a number": ("UP", {"s": 1, "k": 2}, [INF, 1], [1, 1], (None, None)),
    "a rise at no progress": ("PQ", {"alpha": 5, "k": 2, **OFF}, FLAT, [1, 2], (2, "met")),
    "no rise at no progress": ("PQ", {"alpha": 5, "k": 2, **OFF}, FLAT, [1, 1], (None, None)),
    "a rise at boundless progress": ("PQ", {"alpha": 5, "k": 2}, [1, 0], [1, 2], (None, None)),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_numbers_at_the_edge(name: str) -> None:
    rule, options, train, validation, want = EDGES[name]
    assert stop(rule, train, validation, **options) == want


@pytest.mark.parametrize(
    ("metric", "value", "series", "epoch"),
    [
        ("validation_loss", 0.5, [1, 0.6, 0.5, 0.4], 3),
        ("train_loss", 0.5, [NAN, INF, 0.6, 0.4], 4),
        ("validation_accuracy", 0.9, [0.5, NAN, 0.9, 1], 3),
        ("train_accuracy", 0.9, [0.5, 0.8, 0.89], None),
    ],
)
def test_target(metric: str, value: float, series: list[float], epoch: int | None) -> None:
    other = [1.0] * 4 if metric.endswith("accuracy") else [0.0] * 4  # reached in the other part
    both = (series, other) if metric.startswith("train") else (other, series)
    table = seen(both[0], both[1][: len(series)], int(metric.endswith("accuracy")))
    rule, options = S.Target(metric, value).rule(1.0)
    assert first(rule, options, table)[0] == epoch


def test_patience_counts_epochs_whatever_the_interval() -> None:
    assert [S.Patience(3).rule(a_judgement)[1][0] for a_judgement in (1, 2.5, 0.4)] == [3, 8, 2]


@pytest.mark.parametrize("name", SLOWER)
def test_each_record_is_read_once(name: str) -> None:
    """What was read may change behind the rule's back: a judgement's cost does not grow."""
    rule, options = S.stop(
        {"name": name, **SLOWER[name][-1]} | ({} if name == "patience" else OFF)
    ).rule(1.0)
    series, memory = seen(FLAT * 5, FLAT * 5), np.zeros(MEMORY_SIZE)
    answers = []
    for n in range(1, len(series) + 1):
        answers.append(float(rule(memory, series[:n], np.array(options, float))))
        series[: max(0, n - 5)] = 1e-9
    assert answers == [float(name == "patience" and n > 8) for n in range(1, len(series) + 1)]


# --- planted faults -------------------------------------------------------------------------------


def faulty_gl(opt: Callable[[np.ndarray], float]) -> Any:
    def rule(memory: np.ndarray, series: np.ndarray, options: np.ndarray) -> float:
        losses = series[:, 1, 0]
        return float(100 * (losses[-1] / opt(losses) - 1) > options[0])

    return rule


def faulty_pq(memory: np.ndarray, series: np.ndarray, options: np.ndarray) -> float:
    """Training progress over all epochs so far."""
    train, k = series[:, 0, 0], int(options[1])
    grown = 100 * (series[-1, 1, 0] / series[:, 1, 0].min() - 1)
    p = 1000 * (train.mean() / train.min() - 1)
    return float(len(train) % k == 0 and grown > options[0] * p)


def faulty_up(memory: np.ndarray, series: np.ndarray, options: np.ndarray) -> float:
    """Rises in all, not in a row."""
    ends = series[int(options[1]) - 1 :: int(options[1]), 1, 0]
    rises = sum(b > a for a, b in itertools.pairwise(ends))
    return float(len(series) % options[1] == 0 and rises >= options[0])


def faulty_patience(memory: np.ndarray, series: np.ndarray, options: np.ndarray) -> float:
    """Each epoch is compared with the one before."""
    falls = np.flatnonzero(np.diff(series[:, 1, 0], prepend=INF) < -options[1])
    return float(len(series) - 1 - falls[-1] >= options[0])


FAULTS: dict[str, tuple[str, Any]] = {
    "GL against the first": ("GL", faulty_gl(lambda losses: losses[0])),
    "GL against the one before": ("GL", faulty_gl(lambda losses: losses[-2:][0])),
    "PQ without strips": ("PQ", faulty_pq),
    "UP not in a row": ("UP", faulty_up),
    "patience with the last": ("patience", faulty_patience),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_rule_is_found(name: str) -> None:
    kind, fault = FAULTS[name]
    wrong = []
    for label, (rule, options, train, validation, want) in SERIES.items():
        if rule == kind and want[1] != naive.STALLED:
            numbers = S.stop({"name": kind, **options}).rule(1.0)[1]
            if first(fault, numbers, seen(train, validation)) != want:
                wrong.append(label)
    assert wrong
