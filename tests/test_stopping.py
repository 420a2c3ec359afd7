"""Early stopping inside a training: when it ends, what is kept, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import naive_stopping as naive
import numba
import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import stopping as S
from simdl.configuration import Configuration, with_values
from simdl.layers.base import Layer
from simdl.spec import from_tables, spec, to_tables
from simdl.sweep import Sweep
from simdl.training import describe, train_chunk

EPOCHS, AN_EPOCH = 60, 4


@numba.njit
def count_forward(op, run, at):
    """Pass everything on; the running statistic counts the training steps."""
    n = run.rows * op.n_in
    at.arena[op.y : op.y + n] = at.arena[op.x : op.x + n]
    if run.training:
        at.buffers[op.buffer] += 1


@numba.njit
def count_backward(op, run, at):
    n = run.rows * op.n_in
    at.deltas[op.x : op.x + n] = at.deltas[op.y : op.y + n]


@spec
class Count(Layer):
    """y = x, with a running count of steps."""

    def lower(self, program: Any, path: str, x: Any) -> Any:
        y = program.value(x.shape)
        seen = program.buffer(path, "running_count", (1,), 0.0)
        program.op(count_forward, count_backward, x, y, buffer=seen)
        return y


NET = simdl.Network((5,), [L.Dense(12), Count(), L.Tanh(), L.Dense(3)])


def data(seed: int = 0) -> simdl.Data:
    """Labels without a pattern: what is learnt from them makes the validation loss rise."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    return simdl.Data(
        train=(x[:20], t[:20]), validation=(x[20:40], t[20:40]), test=(x[40:], t[40:])
    )


GIVEN = {"optimizer": {"name": "Adam", "lr": 0.02}, "batch_size": 5}


def train(stop: Any = None, epochs: int = EPOCHS, **settings: Any) -> simdl.Result:
    return simdl.train(NET, data(), stop=stop, epochs=epochs, **GIVEN | settings)


@pytest.fixture(scope="module")
def whole() -> simdl.Result:
    """The training that nothing stops."""
    return train()


RULES: dict[str, tuple[S.Stop, dict[str, Any]]] = {
    # a rule, and how the naive reference takes it
    "patience": (S.Patience(6), {"epochs": 6}),
    "GL": (S.GL(8), {"alpha": 8, "k": 5, "min_progress": 0.1}),
    "PQ": (S.PQ(0.3, k=4), {"alpha": 0.3, "k": 4, "min_progress": 0.1}),
    "UP": (S.UP(3, k=3, min_progress=0), {"s": 3, "k": 3}),
}


@pytest.mark.parametrize("name", RULES)
def test_it_stops_where_the_rule_says_and_keeps_the_best(name: str, whole: simdl.Result) -> None:
    rule, options = RULES[name]
    series = [whole.history[f"{part}_loss"].values[1:].tolist() for part in ("train", "validation")]
    epoch, why = naive.stop(name, *series, **options)
    assert why == naive.MET and 5 < epoch < EPOCHS  # the data do what they are for
    best = int(np.argmin(series[1][:epoch])) + 1
    assert best < epoch
    result = train(rule)
    assert result.status == "stopped_early" and result.steps == epoch * AN_EPOCH
    assert result.best == {
        "step": best * AN_EPOCH, "epoch": best, "validation_loss": series[1][best - 1],
    }  # fmt: skip
    for part in (str(rule), f"after epoch {epoch};", f"those after epoch {best}"):
        assert part in result.reason
    short = train(epochs=best)
    assert np.array_equal(result.params.flat, short.params.flat)
    assert result.params.buffers["1.running_count"] == best * AN_EPOCH
    assert result.metrics == short.metrics
    stopped = whole.history.sel(epoch=slice(0, epoch))
    assert result.history.drop_attrs().identical(stopped.drop_attrs())


@pytest.mark.parametrize("name", RULES)
def test_the_last_are_returned_where_asked(name: str) -> None:
    first = train(RULES[name][0])
    table = to_tables(RULES[name][0]) | {"keep": "last"}
    last = train(from_tables(table))
    assert (last.status, last.steps, last.best) == (first.status, first.steps, first.best)
    same = train(epochs=last.steps // AN_EPOCH)
    assert np.array_equal(last.params.flat, same.params.flat)
    assert last.metrics == same.metrics and "parameters" not in last.reason
    assert not np.array_equal(last.params.flat, first.params.flat)  # so what is kept can be seen


def test_without_a_stop_the_best_are_returned_too(whole: simdl.Result) -> None:
    losses = whole.history.validation_loss.values[1:]
    best = int(np.argmin(losses)) + 1
    result = train(S.Patience(EPOCHS))
    assert result.status == "completed" and result.steps == EPOCHS * AN_EPOCH
    assert result.reason == f"all 240 steps done; the parameters are those after epoch {best}"
    assert result.metrics["validation_loss"] == losses[best - 1] < losses[-1]
    assert result.history.drop_attrs().identical(whole.history.drop_attrs())


# --- what is measured -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "probes",
    [[], [simdl.Probe("loss", "end")], [simdl.Probe("loss", 3)], [simdl.Probe("weight_rms", 1)]],
)
@pytest.mark.parametrize("every", ["epoch", 7])
def test_probes_change_nothing(probes: list[simdl.Probe], every: Any) -> None:
    rule = S.GL(8, every=every)
    result, other = train(rule, probes=probes), train(rule)
    assert (result.status, result.steps) == ("stopped_early", other.steps)
    assert result.reason == other.reason and result.best == other.best
    assert np.array_equal(result.params.flat, other.params.flat)
    assert result.judged.identical(other.judged)
    assert set(result.metrics) <= {f"{p}_loss" for p in ("train", "validation", "test")}
    assert bool(result.metrics) == any(not probe.layered for probe in probes)
    if result.metrics:
        assert result.metrics["validation_loss"] == result.best["validation_loss"]


def test_judgements_are_the_evaluations_of_that_moment(whole: simdl.Result) -> None:
    judged = train(S.GL(8), probes=[]).judged
    for name, values in judged.items():
        assert np.array_equal(values, whole.history[str(name)][1 : len(values) + 1])
    assert judged.epoch.values.tolist() == list(range(1, len(judged.step) + 1))
    every = train(S.GL(8, every=7), probes=[simdl.Probe("loss", 1)])
    at = every.judged.step.values
    assert (at % 7 == 0).all() and every.steps == at[-1]
    for part in ("train", "validation"):
        assert np.array_equal(
            every.judged[f"{part}_loss"], every.history[f"{part}_loss"].sel(step=at)
        )


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        (S.Patience(3), {"validation"}),
        (S.GL(8), {"train", "validation"}),
        (S.GL(8, min_progress=0), {"validation"}),
        (S.PQ(0.3, min_progress=0), {"train", "validation"}),
        (S.Target("train_loss", 0.5), {"train"}),
    ],
)
def test_only_what_is_needed_is_measured(rule: S.Stop, parts: set[str]) -> None:
    for probes in ([], None):
        result = train(rule, probes=probes)
        measured = ~np.isnan(result._judged).all((0, 2))
        names = np.array(["train", "validation", "test"])
        assert set(names[measured].tolist()) == parts
        assert {str(name).partition("_")[0] for name in result.judged} == parts


def test_target_is_reached_and_its_own_best_are_kept(whole: simdl.Result) -> None:
    accuracy = whole.history.train_accuracy.values
    result = train(S.Target("train_accuracy", 0.85))
    epoch = int(np.argmax(accuracy[1:] >= 0.85)) + 1
    assert result.steps == epoch * AN_EPOCH and result.status == "stopped_early"
    assert result.metrics["train_accuracy"] == accuracy[epoch] >= 0.85
    assert result.best == {
        "step": result.steps, "epoch": epoch, "train_accuracy": accuracy[epoch],
    }  # fmt: skip
    at_the_end = train(S.Target("train_loss", float(whole.history.train_loss[-1])))
    assert (at_the_end.status, at_the_end.steps) == ("stopped_early", 240)


def test_stalled_training_is_said() -> None:
    result = train(S.UP(9, k=2), optimizer={"name": "SGD", "lr": 0.0})
    assert result.steps == 2 * AN_EPOCH
    assert "training progress P_2 below 0.1, after epoch 2" in result.reason


def test_a_diverged_run_keeps_status_and_best(whole: simdl.Result) -> None:
    rates = np.full(EPOCHS * AN_EPOCH, 0.02)
    rates[31] = 1e300  # the parameters of the judgement at step 32 are no numbers
    result = train(S.Patience(50), schedule=rates)
    best = int(np.argmin(whole.history.validation_loss.values[1:8])) + 1
    assert result.status == "diverged" and result.divergence["step"] == 31
    assert f"those after epoch {best}" in result.reason and result.best["epoch"] == best
    assert np.array_equal(result.params.flat, train(epochs=best).params.flat)
    assert np.isfinite(list(result.metrics.values())).all()
    assert np.isnan(result.judged.validation_loss[-1])
    assert np.isnan(result.history.train_loss[-1])
    early = train(S.Patience(50), schedule=np.full(240, 1e300))
    assert early.status == "diverged" and early.best is None
    assert not np.isfinite(early.params.flat).all()


# --- chunks, files, sweeps ------------------------------------------------------------------------


def test_chunks_equal_single_runs() -> None:
    """Seeds that stop at different epochs, one not at all, in one compiled call."""
    training = describe(NET, stop=S.GL(9), epochs=8, **GIVEN)
    seeds = list(range(8))
    together = train_chunk(training, [data(seed) for seed in seeds], seeds)
    assert {r.status for r in together} == {"completed", "stopped_early"}
    assert len({r.steps for r in together}) > 3
    for seed, result in zip(seeds, together, strict=True):
        alone = train_chunk(training, [data(seed)], [seed])[0]
        assert np.array_equal(alone.params.flat, result.params.flat)
        assert np.array_equal(alone.params.buffers.flat, result.params.buffers.flat)
        assert alone.history.identical(result.history) and alone.judged.identical(result.judged)
        assert (alone.reason, alone.best) == (result.reason, result.best)


def test_a_cancelled_training_is_no_stopped_one() -> None:
    control = np.array([1, 0, 0])
    result = train_chunk(describe(NET, stop="patience", **GIVEN), [data()], [0], control=control)[0]
    assert result.status == "cancelled" and result.best is None


@pytest.mark.parametrize("rule", [*(rule for rule, _ in RULES.values()), S.GL(8, every=7)], ids=str)
def test_what_is_saved_comes_back(tmp_path: Path, rule: S.Stop) -> None:
    rng = np.random.default_rng(1)
    net = simdl.Network((5,), [L.Dense(12), L.Tanh(), L.Dense(3)])
    result = simdl.train(net, data(), stop=rule, epochs=EPOCHS, **GIVEN)
    result.save(tmp_path)
    back = simdl.load(tmp_path)
    for name in ("training", "status", "reason", "steps", "best", "metrics"):
        assert getattr(back, name) == getattr(result, name)
    assert back.judged.identical(result.judged) and back.history.identical(result.history)
    x = rng.normal(size=(3, 5))
    assert np.array_equal(back.predict(x).outputs, result.predict(x).outputs)


TABLE = {
    "data": {"name": "moons", "samples": 60, "split": [0.5, 0.5, 0]},
    "network": {"depth": 1, "width": 4},
    "training": {"epochs": 12, "batch_size": 16},
}


@pytest.mark.parametrize(
    ("section", "made"),
    [
        ({"name": "patience", "epochs": 3}, S.Patience(3)),
        ("patience", S.Patience()),
        ({"name": "PQ", "alpha": 2, "every": 20, "keep": "last"}, S.PQ(2, every=20, keep="last")),
        ({"name": "target", "metric": "train_loss", "value": 0}, S.Target("train_loss", 0)),
        (None, None),
    ],
)  # fmt: skip
def test_configuration(section: Any, made: S.Stop | None) -> None:
    table = TABLE if section is None else TABLE | {"stop": section}
    configuration = Configuration.parse(table)
    assert configuration.build(configuration.data(0)).stop == made
    assert from_tables(configuration.tables()["stop"]) == made


def test_sweeps_count_and_store_it(tmp_path: Path) -> None:
    base = TABLE | {"stop": {"name": "target", "metric": "validation_loss"}}
    axes = {"stop.value": [0.0, 10.0]}
    record = ["validation_loss", "stopped_early"]
    sweep = Sweep(base, axes, seeds=2, record=record)
    runs = sweep.run(store=tmp_path / "runs.sqlite", jobs=1)
    assert runs.stopped_early.values.tolist() == [[False] * 2, [True] * 2]
    assert (runs.steps.sel({"stop.value": 10.0}) == 2).all()  # an epoch of two batches
    for value in axes["stop.value"]:
        (alone,) = Configuration.parse(with_values(base, {"stop.value": value})).train([1])
        at = runs.sel({"stop.value": value, "seed": 1})
        assert at.best_step == alone.best["step"] and at.steps == alone.steps
        assert at.validation_loss.item() == alone.metrics["validation_loss"]
    again = Sweep(base, axes, seeds=2, record=record).run(store=tmp_path / "runs.sqlite", jobs=1)
    assert again.attrs["trained"] == 0 and again.drop_attrs().identical(runs.drop_attrs())
    with pytest.raises(simdl.InputError, match="record: 'best_step': is not measured"):
        Sweep(TABLE, {}, record=["best_step"])
    with pytest.raises(simdl.InputError, match=r"stop: Patience.*needs validation data"):
        Sweep(with_values(base, {"stop": "patience", "data.split": [1, 0, 0]}), {})


def test_a_validation_loss_that_never_was_a_number_is_said() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)
    parts = simdl.Data(train=(x, t), validation=(x * 1e30, t))
    net = simdl.Network((4,), [L.Dense(8), L.Dense(3)], init={"name": "normal", "std": 1e6})
    settings: dict[str, Any] = {"optimizer": {"name": "SGD", "lr": 0.0}, "epochs": 9}
    result = simdl.train(net, parts, stop=S.Patience(epochs=3), **settings)
    assert result.status == "stopped_early" and result.best is None
    assert "never was a finite number" in result.reason
