"""Networks broken on purpose, each warned of its fault; sound ones, of which nothing is said."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from health_cases import BROKEN, SOFTMAX, SOUND, digits

import simdl
from simdl import cli, diagnosis
from simdl import layers as L
from simdl import optimizers as O
from simdl.diagnosis.expectation import expected
from simdl.diagnosis.faults import constant_loss
from simdl.diagnosis.rules import IN_PLACE, RULES
from simdl.losses import loss as make_loss
from simdl.scenario.claims import expected_in


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    net, data, settings, wanted = BROKEN[name]
    health = simdl.train(net, data(), **settings).health()
    assert {fault.name for fault in health.warnings} == wanted, str(health)
    assert str(health).count("WARNING") == len(wanted)


@pytest.mark.parametrize("name", SOUND)
def test_sound(name: str) -> None:
    net, data, settings = SOUND[name]
    result = simdl.train(net, data(), **settings)
    assert result.health().warnings == (), str(result.health())
    assert str(result.health()).endswith("no warnings")


def test_every_warning_was_given_and_names_a_scenario() -> None:
    assert {rule.name for rule in RULES} == set().union(*(case[3] for case in BROKEN.values()))
    assert all(expected_in(rule.scenario) for rule in RULES)


# --- what the rows hold ---------------------------------------------------------------------------


def test_rows_are_what_the_definitions_say() -> None:
    """Gradients by `vjp`, dead units counted, updates and ways from parameters after each step."""
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    net = simdl.Network(
        (5,), [L.Dense(8), L.Tanh(), L.Dense(6), L.ReLU(), L.Dense(3)], init="he_normal",
        dtype="float64",
    )  # fmt: skip
    settings = {"batch_size": 16, "optimizer": O.SGD(lr=0.3)}
    made = [simdl.train(net, simdl.Data(train=(x, t)), steps=n, **settings) for n in range(1, 8)]
    rows = {row.layer: row for row in made[-1].health().rows}
    assert list(rows) == ["0", "1", "2", "3", "4"]
    start, end = net.init(0), made[-1].params
    for moment, params in (("gradient_birth", start), ("gradient_end", end)):
        logits = simdl.forward(net, params, x)
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(3)[t]
        pulled = simdl.vjp(net, params, x, shares).layers
        for path in ("0", "2", "4"):
            wanted = np.sqrt(np.mean(pulled[path] ** 2))
            assert getattr(rows[path], moment) == pytest.approx(wanted, rel=1e-9)
    tanh = simdl.vjp(net, end, x, np.zeros((60, 3))).outputs["1"]
    assert rows["1"].saturated == pytest.approx(np.mean(1 - tanh**2 < 0.04))
    assert rows["3"].dead == np.mean(simdl.dead_units(net, end, x)["3"])
    assert np.isnan([rows["1"].dead, rows["3"].saturated, rows["0"].saturated]).all()
    steps = [start, *(result.params for result in made)]
    for path in ("0", "2", "4"):
        weights = [params[f"{path}.weight"] for params in steps]
        sizes = [np.sqrt(np.mean(w**2)) for w in weights]
        ways = [np.sqrt(np.mean((b - a) ** 2)) for a, b in pairwise(weights)]
        assert rows[path].update == pytest.approx(np.median(np.array(ways) / sizes[:-1]), rel=1e-9)
        way = np.sqrt(np.mean((weights[-1] - weights[0]) ** 2))
        assert rows[path].moved == pytest.approx(way / sizes[0], rel=1e-9)


def test_where_overfitting_set_in() -> None:
    net, data, settings, _ = BROKEN["40 samples, noisy labels"]
    result = simdl.train(net, data(), **settings)
    losses, found = result.history["validation_loss"].values, result.health().validation
    assert (found.unit, found.at) == ("epoch", losses.argmin())
    assert (found.least, found.end) == (losses.min(), losses[-1])
    kept = simdl.train(net, data(), stop={"name": "patience", "epochs": 20}, **settings)
    assert kept.health().warnings == ()  # the best parameters are returned
    assert kept.health().validation.end == kept.metrics["validation_loss"]


def test_a_divergence_names_step_layer_and_cause() -> None:
    net, data, settings, _ = BROKEN["rate of 1e6"]
    result = simdl.train(net, data(), **settings)
    (fault,) = result.health().warnings
    assert result.reason in fault.found and "times the weights" in fault.found
    for optimizer in (O.SGD(lr=1e30), O.SGD(lr=1e300)):  # parameters that are no numbers any more
        gone = simdl.train(net, data(), **settings | {"optimizer": optimizer})
        assert [fault.name for fault in gone.health().warnings] == ["divergence"]


# --- theory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "init", "factor"),
    [
        ([L.Dense(8), L.Dense(8), L.Dense(8)], "lecun_uniform", 1.0),
        ([L.Dense(8), L.ReLU(), L.Dense(8), L.ReLU(), L.Dense(8)], "he_normal", 1.0),
        ([L.Dense(8), L.ReLU(), L.Dense(8), L.ReLU(), L.Dense(8)], "orthogonal", 0.5**0.5),
        ([L.Dense(8), L.Dense(8), L.Softmax()], {"name": "uniform", "limit": 3}, 24**0.5),
        ([L.Dense(8), L.LeakyReLU(0.5), L.Dense(2), L.Dropout(0.5)], "he_normal", 1.25**0.5 / 2),
        ([L.Dense(3)], "glorot_normal", 1.0),
    ],
)
def test_closed_forms(layers: list, init: Any, factor: float) -> None:
    """chi = s_w2 E[phi'^2] a layer; per unit it goes by widths (8 to 2: a root of 1/4)."""
    found = expected(simdl.Network((8,), layers, init=init), 1.0, True)
    assert found.why == "" and found.factor == pytest.approx(factor, rel=1e-12)


def test_one_layer_used_twice_is_two_layers() -> None:
    """What the whole network says is the same as with layers of their own."""
    shared, norm = L.Dense(8), L.BatchNorm()
    twice = [shared, L.Tanh(), shared, L.Tanh(), L.Dense(3)]
    own = [L.Dense(8), L.Tanh(), L.Dense(8), L.Tanh(), L.Dense(3)]
    assert expected(simdl.Network((8,), twice), 1.0, True) == expected(
        simdl.Network((8,), own), 1.0, True
    )
    found = expected(simdl.Network((8,), [shared, norm, L.Tanh(), shared]), 1.0, True)
    assert found.why == "BatchNorm"  # it stands before the last layer, though behind its namesake
    assert expected(simdl.Network((8,), [shared, L.Tanh(), shared, norm]), 1.0, True).why == ""


def test_only_remedies_that_are_not_in_place_are_offered() -> None:
    def tried(layers: list, **settings: Any) -> str:
        net = simdl.Network((64,), layers, init=settings.pop("init", "he_normal"))
        result = simdl.train(net, flat, **settings)
        return " ".join(fault.remedy for fault in result.health().warnings)

    whole = digits(0.4, 40)
    flat = simdl.Data(*(
        (x.reshape(len(x), -1), t) for x, t in (whole.train, whole.validation)
    ))  # fmt: skip
    hard = {"epochs": 150, "batch_size": 8, "optimizer": O.Adam(lr=3e-3)}
    plain = [L.Dense(32), L.ReLU(), L.Dense(10)]
    assert "Dropout, l2 or" in tried(plain, **hard)
    told = tried([L.Dense(32), L.ReLU(), L.Dropout(0.1), L.Dense(10)], l2=1e-5, **hard)
    assert "stop='patience', more data or a smaller network" in told
    small = [L.Dense(32), L.ReLU()] * 10 + [L.Dense(10)]
    born = [L.Dense(32), L.ReLU()] * 8 + [L.Dense(10)]
    assert "he_normal" in tried(small, init={"name": "normal", "std": 0.01}, epochs=5, batch_size=8)
    huge = {"epochs": 5, "optimizer": O.Adam(lr=1.0), "batch_size": 8}
    told = tried([L.Dense(32), L.ReLU()] * 2 + [L.Dense(10)], **huge)
    assert "LeakyReLU" in told and "he_normal" not in told
    assert "clip_norm" in tried(born, init={"name": "normal", "std": 1.0}, epochs=2)
    assert "clip_norm" not in tried(
        born, init={"name": "normal", "std": 1.0}, epochs=2, clip_norm=1.0
    )
    assert all(name in {r for rule in RULES for r in rule.remedies} for name in IN_PLACE)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([L.Dense(8), L.BatchNorm(), L.ReLU(), L.Dense(3)], "BatchNorm"),
        ([L.Dense(8), L.Residual([L.Dense(8)]), L.Dense(3)], "Residual"),
        ([L.Dense(8), L.Tanh(), L.Residual([L.Dense(8)])], "Residual"),
        ([L.Dense(8), L.GELU(), L.Dense(3)], "GELU"),
        ([L.Tanh(), L.Dense(3)], "Tanh"),
        ([L.Dense(8), L.Tanh(), L.Dense(8), L.Dense(3)], "activations of several kinds"),
        ([L.Dense(8, "zeros"), L.Tanh(), L.Dense(3)], "the initializer"),
    ],
)
def test_no_closed_form(layers: list, why: str) -> None:
    assert expected(simdl.Network((8,), layers), 1.0, True).why == why


def test_no_closed_form_for_given_weights_and_for_inputs_out_of_scale() -> None:
    net = simdl.Network((8,), [L.Dense(8), L.Tanh(), L.Dense(3)])
    assert expected(net, 1.0, False).why == "the weights were given"
    assert expected(net, 1e9, True).why == "the inputs' scale"


@pytest.mark.parametrize(
    ("loss", "targets", "outputs"),
    [
        ("softmax_cross_entropy", np.array([0, 0, 2, 1, 0.0]), 4),
        ({"name": "softmax_cross_entropy", "label_smoothing": 0.2}, np.array([0, 2, 2.0]), 3),
        ("binary_cross_entropy", np.array([0, 1, 1.0]), 1),
        ("mse", np.array([0, 1, 5.0]), 1),
        ("mae", np.array([0, 1, 5.0]), 1),
    ],
)
def test_no_single_answer_is_better(loss: Any, targets: np.ndarray, outputs: int) -> None:
    chosen, t = make_loss(loss), targets[:, None]
    rule, option = chosen.rule()
    found, best = constant_loss(chosen, t, outputs), np.inf
    rng = np.random.default_rng(0)
    for answer in rng.normal(0, 1.5, size=(3000, outputs)) + t.mean() * (outputs == 1):
        losses, y = np.empty(len(t)), np.tile(answer, (len(t), 1))
        rule(losses, np.empty_like(y), y, t, option)
        best = min(best, losses.mean())
    assert found == pytest.approx(best, rel=0.02) and found <= best + 1e-5


# --- when it is measured, and what is kept --------------------------------------------------------


def test_it_is_lazy_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net, data, settings = SOUND["convolution"]
    calls = []
    examine = diagnosis.examine
    monkeypatch.setattr(diagnosis, "examine", lambda *a: calls.append(a) or examine(*a))
    result, other = (simdl.train(net, data(), **settings) for _ in range(2))
    assert not calls
    before = [result.params.flat.copy(), result.params.buffers.flat.copy()]
    assert result.health() is result.health() and len(calls) == 1
    assert np.array_equal(result.params.flat, before[0])
    assert np.array_equal(result.params.buffers.flat, before[1])
    assert result.history.identical(other.history) and result.metrics == other.metrics
    assert str(result.health()) == str(other.health())


@pytest.mark.parametrize("name", ["rate of 1e6", "deep sigmoid", "biases of -10"])
def test_a_saved_result_keeps_its_health(name: str, tmp_path: Path) -> None:
    net, data, settings, _ = BROKEN[name]
    result = simdl.train(net, data(), **settings)
    result.save(tmp_path / "run")
    back = simdl.load(tmp_path / "run")
    assert str(back.health()) == str(result.health())
    assert back.health().table() == result.health().table()
    back.save(tmp_path / "again")
    assert str(simdl.load(tmp_path / "again").health()) == str(result.health())
    assert "NaN" not in json.dumps(back.health().table())


def test_a_result_without_its_data_has_none(tmp_path: Path) -> None:
    alone = replace(simdl.train(SOFTMAX, digits(), epochs=1), _examine=None)
    with pytest.raises(simdl.InputError, match="health: the result is without its data"):
        alone.health()
    alone.save(tmp_path / "run")
    with pytest.raises(simdl.InputError, match="health"):
        simdl.load(tmp_path / "run").health()


def test_the_command_line_ends_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A scenario that exists is named with its command."""
    deep = ("network.depth=10", "network.activation=sigmoid", "training.epochs=1")
    settings = [word for setting in deep for word in ("--set", setting)]
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "--data", "digits", *settings])
    said = capsys.readouterr().out
    assert not end.value.code
    assert "WARNING vanishing gradient" in said and "theory at birth" in said
    assert "(simdl explain vanishing_gradients)" in said


def test_scenarios_that_are_not_there_are_not_named() -> None:
    net, data, settings, _ = BROKEN["deep sigmoid"]
    health = simdl.train(net, data(), **settings).health()
    told = health.told({"vanishing_gradients"})
    assert "(simdl explain vanishing_gradients)" in told
    others = {fault.scenario for fault in health.warnings} - {"vanishing_gradients"}
    assert others and not any(f"{name})" in told for name in others)
    assert "simdl explain" not in str(health) and repr(health) == str(health)
