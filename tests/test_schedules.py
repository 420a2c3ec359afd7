"""Schedules against rates written out one by one, PyTorch's answers, and what training does."""

from __future__ import annotations

import naive_schedules
import numpy as np
import pytest
from cases import names
from schedule_cases import AN_EPOCH, LR, SCHEDULES, STEPS, ScheduleCase
from test_golden import apart, golden

import simdl
from simdl import layers as L
from simdl import schedules as S
from simdl.configuration import Configuration
from simdl.spec import from_tables, to_tables

PLAIN = tuple(
    case for case in SCHEDULES if case.name != "one_cycle_no_climb"
)  # its first knot is 0


@pytest.mark.parametrize("case", PLAIN, ids=names(PLAIN))
def test_rates_one_by_one(case: ScheduleCase) -> None:
    want = naive_schedules.rates(case.chain, LR, STEPS)
    got = case.rates()
    assert got.shape == (STEPS,) and got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case", SCHEDULES, ids=names(SCHEDULES))
def test_golden(case: ScheduleCase) -> None:
    """The last rate of a cosine is 0 in exact arithmetic: norm-wise."""
    stored = golden("schedules")
    assert stored["in.size"].tolist() == [LR, STEPS, AN_EPOCH]
    assert apart(case.rates(), stored[f"out.{case.name}"]) < 1e-12


def test_a_schedule_that_is_one_step_late_is_found() -> None:
    late = [case.name for case in SCHEDULES if apart(np.roll(case.rates(), 1), case.rates()) < 1e-3]
    assert late == ["constant"]


@pytest.mark.parametrize("kind", S.KINDS)
def test_every_kind_is_in_the_table(kind: str) -> None:
    if kind != "values":
        assert any(type(S.schedule(case.spec)) is S.KINDS[kind] for case in SCHEDULES)


@pytest.mark.parametrize("case", SCHEDULES, ids=names(SCHEDULES))
def test_descriptions_come_back(case: ScheduleCase) -> None:
    made = S.schedule(case.spec)
    assert from_tables(to_tables(made)) == made == S.schedule(made)


def test_values_are_themselves() -> None:
    given = np.linspace(0.3, 0.0, 8)
    for choice in (given, tuple(given), {"values": list(given)}, S.Values(given)):
        assert np.array_equal(S.schedule(choice).rates(9.0, 7, 2), given[:7])
    behind = S.Warmup(2, unit="step", then=given)
    np.testing.assert_allclose(behind.rates(0.6, 5, 1), [0.2, 0.4, *given[:3]], rtol=1e-15)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_short_trainings(steps: int) -> None:
    """A climb of one step only, where PyTorch divides by 0, is at its end."""
    for case in SCHEDULES:
        assert S.schedule(case.spec).rates(LR, steps, AN_EPOCH).shape == (steps,)
    assert S.OneCycle(pct_start=1 / steps).rates(LR, steps, 1)[0] == LR


def test_part_of_an_epoch() -> None:
    rates = S.Warmup(0.5, start_factor=0.0).rates(1.0, 6, 5)
    np.testing.assert_allclose(rates, [0, 0.4, 0.8, 1, 1, 1])


# --- in a training --------------------------------------------------------------------------------


def data() -> simdl.Data:
    rng = np.random.default_rng(0)
    return simdl.Data(train=(rng.normal(size=(23, 4)), rng.integers(0, 3, 23)))


def test_training_follows_the_rates() -> None:
    """By name, table or instance: the same bits as with the rates given one by one."""
    net = simdl.Network((4,), [L.Dense(3)])
    given = {"optimizer": {"name": "SGD", "lr": LR}, "batch_size": 5, "steps": STEPS}
    for spec in ("cosine", {"name": "step", "step_size": 3}, S.Warmup(then="cosine")):
        rates = S.schedule(spec).rates(LR, STEPS, 5)
        named, listed, still = (
            simdl.train(net, data(), schedule=s, **given).params.flat for s in (spec, rates, None)
        )
        assert np.array_equal(named, listed) and not np.array_equal(named, still)


TABLE = {
    "data": {"name": "moons", "samples": 60},
    "network": {"depth": 1, "width": 4},
    "training": {"epochs": 2, "batch_size": 16},
}


@pytest.mark.parametrize(
    ("section", "made"),
    [
        ({"name": "cosine"}, S.Cosine()),
        ("one_cycle", S.OneCycle()),
        ({"values": [0.1] * 8}, S.Values([0.1] * 8)),
        ({"name": "warmup", "total_iters": 1, "then": {"name": "cosine", "eta_min": 1e-4}},
         S.Warmup(1, then=S.Cosine(eta_min=1e-4))),
        (None, S.Constant()),
    ],
)  # fmt: skip
def test_configuration(section: object, made: S.Schedule) -> None:
    table = TABLE if section is None else TABLE | {"schedule": section}
    configuration = Configuration.parse(table)
    assert configuration.build(configuration.data(0)).schedule == made
    assert from_tables(configuration.tables()["schedule"]) == made
