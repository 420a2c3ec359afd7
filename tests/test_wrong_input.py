"""What a user gets wrong from Python: one clear message each, with key, value and what is right."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wrong_calls import CALLS, RNG, Action, T, X, flat, net

import simdl
from simdl import layers as L
from simdl import losses, schedules, stopping
from simdl import optimizers as O

HOLED = np.where(np.arange(185).reshape(37, 5) == 41, np.nan, X)  # row 8, column 1
DATA = simdl.Data(train=(X, T), validation=(X[:9], T[:9]))


def train(data: Any = DATA, on: Any = None, **settings: Any) -> simdl.Result:
    return simdl.train(net() if on is None else on, data, **{"steps": 3} | settings)


def own_probe(net: Any, params: Any, data: Any) -> str:
    """A measure of one's own that gives no number."""
    return "high"


def save_below_a_file(folder: Path) -> None:
    (folder / "file").write_text("x", encoding="utf-8")
    train().save(folder / "file" / "run")


NETWORKS: dict[str, tuple[Action, list[str]]] = {
    "unknown layer": (lambda: net("Dense"), ["layers.0", "'Dense'", "such as Dense(10)"]),
    "a class for a layer": (
        lambda: net(L.Dense(3), L.ReLU), ["layers.1", "ReLU", "must be a layer"],
    ),
    "no layers": (lambda: simdl.Network((5,), []), ["layers", "at least one"]),
    "two wrong layers at once": (lambda: net(1, "x"), ["layers.0: 1", "layers.1: 'x'"]),
    "unknown key of a layer": (
        lambda: L.Dense(3, activation="relu"), ["Dense.activation", "unknown", "units"],
    ),
    "misspelt key of a layer": (
        lambda: L.LeakyReLU(alhpa=0.1), ["LeakyReLU.alhpa", "did you mean 'alpha'?"],
    ),
    "too many arguments": (lambda: L.Tanh(3), ["Tanh", "at most 0"]),
    "negative width": (lambda: L.Dense(-1), ["Dense.units", "-1", "greater than or equal to 1"]),
    "width that is no integer": (lambda: L.Dense(2.5), ["Dense.units", "2.5", "integer"]),
    "width as text": (lambda: L.Dense("8"), ["Dense.units", "'8'", "integer"]),
    "missing width": (lambda: L.Dense(), ["Dense.units", "missing"]),
    "slope that is no number": (
        lambda: L.LeakyReLU(alpha=np.nan), ["LeakyReLU.alpha", "nan", "finite"],
    ),
    "dense on images": (
        lambda: simdl.Network((8, 8, 1), [L.Dense(3)]), ["layers.0", "(8, 8, 1)", "Flatten()"],
    ),
    "branch that changes the shape": (
        lambda: net(L.Dense(3), L.Residual([L.Dense(4)])),
        ["layers.1", "(3,) into (4,)", "must keep the shape"],
    ),
    "input shape without axes": (
        lambda: simdl.Network((), [L.Dense(3)]), ["input_shape", "()", "at least one axis"],
    ),
    "input shape with 0": (
        lambda: simdl.Network((0,), [L.Dense(3)]), ["Network.input_shape.0", "0", "equal to 1"],
    ),
    "input shape as a number": (
        lambda: simdl.Network(5, [L.Dense(3)]), ["Network.input_shape", "5", "list"],
    ),
    "wrong dtype": (lambda: net(dtype="float16"), ["Network.dtype", "'float16'", "'float32'"]),
    "unknown init": (lambda: net(init="he_nromal"), ["init", "'he_nromal'", "'he_normal'"]),
    "init without its number": (lambda: net(init={"name": "normal"}), ["init.std", "missing"]),
    "init with a wrong number": (
        lambda: net(init={"name": "normal", "std": -1}), ["init.std", "-1", "equal to 0"],
    ),
    "init with an unknown fan": (
        lambda: net(init={"name": "scaled", "fan": "out"}), ["init.fan", "'out'", "'average'"],
    ),
    "unknown init of a layer": (lambda: L.Dense(3, init="he"), ["Dense.init", "'he'", "known"]),
    "unknown key of the network": (
        lambda: net(initializer="zeros"), ["Network.initializer", "unknown key", "init"],
    ),
}  # fmt: skip
SETTINGS: dict[str, tuple[Action, list[str]]] = {
    "no network": (lambda: train(on="mlp"), ["net", "'mlp'", "simdl.Network"]),
    "unknown setting": (lambda: train(batchsize=3), ["batchsize", "did you mean 'batch_size'?"]),
    "unknown loss": (lambda: train(loss="mae2"), ["loss", "'mae2'", "did you mean 'mae'?"]),
    "loss as a number": (lambda: train(loss=3), ["loss", "3", "must be a name"]),
    "unknown key of the loss": (
        lambda: train(loss={"name": "softmax_cross_entropy", "smoothing": 0.1}),
        ["loss.smoothing", "label_smoothing"],
    ),
    "label smoothing of 2": (
        lambda: train(loss={"name": "softmax_cross_entropy", "label_smoothing": 2}),
        ["loss.label_smoothing", "2", "less than 1"],
    ),
    "unknown optimizer": (lambda: train(optimizer="Adm"), ["optimizer", "'Adm'", "'Adam'"]),
    "optimizer as a class": (lambda: train(optimizer=O.SGD), ["optimizer", "SGD", "an instance"]),
    "unknown key of the optimizer": (
        lambda: train(optimizer={"name": "Adam", "learning_rate": 1}),
        ["optimizer.learning_rate", "unknown key", "lr"],
    ),
    "negative rate": (
        lambda: train(optimizer={"name": "SGD", "lr": -1}), ["optimizer.lr", "-1", "equal to 0"],
    ),
    "rate of inf": (lambda: O.Adam(lr=np.inf), ["Adam.lr", "inf", "finite"]),
    "rate as text": (lambda: O.SGD(lr="fast"), ["SGD.lr", "'fast'", "number"]),
    "beta of 1": (lambda: O.Adam(betas=(0.9, 1.0)), ["Adam.betas.1", "1.0", "less than 1"]),
    "nesterov without momentum": (
        lambda: O.SGD(nesterov=True), ["SGD.nesterov", "momentum above 0"],
    ),
    "rho above 1": (lambda: O.Adadelta(rho=1.5), ["Adadelta.rho", "1.5", "equal to 1"]),
    "eps below 0": (lambda: O.NAdam(eps=-1e-8), ["NAdam.eps", "-1e-08", "equal to 0"]),
    "etas on one side of 1": (
        lambda: train(optimizer={"name": "Rprop", "etas": [0.5, 0.9]}),
        ["optimizer.etas", "(0.5, 0.9)", "one above 1"],
    ),
    "steps of Rprop the wrong way round": (
        lambda: O.Rprop(step_sizes=(50, 1e-6)), ["Rprop.step_sizes", "shortest must come first"],
    ),
    "corrected and centered": (
        lambda: O.RMSprop(centered=True, bias_correction=True),
        ["RMSprop.bias_correction", "centered", "g / eps"],
    ),
    "corrected without forgetting": (
        lambda: O.RMSprop(alpha=1, bias_correction=True), ["RMSprop.alpha", "1.0", "below 1"],
    ),
    "an option of another optimizer": (
        lambda: train(optimizer={"name": "AdamW", "momentum": 0.9}),
        ["optimizer.momentum", "unknown key", "amsgrad"],
    ),
    "negative penalty": (lambda: train(l1=-0.1), ["l1", "-0.1", "0 or more"]),
    "penalty as text": (lambda: train(l2="small"), ["l2", "'small'", "a number"]),
    "penalty without end": (lambda: train(l2=np.inf), ["l2", "inf", "a number"]),
    "penalize_biases as text": (
        lambda: train(penalize_biases="no"), ["penalize_biases", "'no'", "True, False or None"],
    ),
    "batch of 0": (lambda: train(batch_size=0), ["batch_size", "0", "above 0 or 'full'"]),
    "batch as text": (lambda: train(batch_size="all"), ["batch_size", "'all'", "'full'"]),
    "batch larger than the data": (
        lambda: train(batch_size=38), ["batch_size", "38", "at most 37"],
    ),
    "steps of 0": (lambda: train(steps=0), ["steps", "0", "above 0"]),
    "half an epoch": (lambda: train(steps=None, epochs=0.5), ["epochs", "0.5", "whole number"]),
    "epochs and steps": (lambda: train(epochs=2), ["epochs", "steps", "give one"]),
    "short schedule": (lambda: train(schedule=[0.1]), ["schedule", "(1,)", "each of 3 steps"]),
    "schedule with NaN": (lambda: train(schedule=[0.1, np.nan, 1]), ["schedule", "NaN", "finite"]),
    "schedule with a negative rate": (lambda: train(schedule=[1, -1, 1]), ["schedule", "negative"]),
    "schedule as a name": (
        lambda: train(schedule="cosin"), ["schedule", "'cosin'", "did you mean 'cosine'?"],
    ),
    "schedule as a table of rates": (
        lambda: train(schedule=[[0.1, 0.1, 0.1]]), ["schedule", "in one row"],
    ),
    "negative clipping": (lambda: train(clip_norm=-1), ["clip_norm", "-1", "above 0"]),
    "clipping by True": (lambda: train(clip_value=True), ["clip_value", "True", "a number"]),
    "unknown probe": (
        lambda: train(probes=["grad_rms"]), ["probes", "'grad_rms'", "'gradient_rms'"],
    ),
    "probes as text": (lambda: train(probes="loss"), ["probes", "'loss'", "must be a list"]),
    "a probe twice": (lambda: train(probes=["loss", "loss"]), ["probes.loss", "once"]),
    "probe every 0 steps": (
        lambda: simdl.Probe("loss", 0), ["Probe.every", "0", "equal to 1", "'epoch'"],
    ),
    "probe of layers at the end": (
        lambda: simdl.Probe("zero_share", "end"), ["probes.zero_share", "'end'", "'epoch'"],
    ),
    "two intervals": (
        lambda: train(probes=[simdl.Probe("loss", 2), simdl.Probe("accuracy", 3)]),
        ["probes", "2 and 3", "choose one"],
    ),
    "an own probe at the end": (
        lambda: simdl.Probe(own_probe, "end"), ["probes.own_probe", "'end'", "'epoch'"],
    ),
    "an own probe that bears a name of ours": (
        lambda: simdl.Probe("x", function=simdl.sharpness), ["'sharpness'", "choose another"],
    ),
    "an own probe that returns text": (
        lambda: train(probes=[simdl.Probe(own_probe)]), ["probes.own_probe", "str", "a number"],
    ),
    "bins of what has none": (
        lambda: simdl.Probe("zero_share", bins=3), ["zero_share.bins", "3", "activation_histogram"],
    ),
    "edges that fall": (
        lambda: simdl.Probe("activation_histogram", bins=(0, 2, 1)),
        [".bins", "2.0, 1.0", "increase"],
    ),
    "a range that falls": (
        lambda: simdl.Probe("activation_histogram", range=(1, 1)), [".bins", "increase"],
    ),
    "edges with NaN": (
        lambda: simdl.Probe("activation_histogram", bins=(0, np.nan)), ["Probe.bins", "finite"],
    ),
    "negative seed": (lambda: train(seed=-1), ["seed", "-1", "0 to 2**32 - 1"]),
    "large seed": (lambda: net().init(2**32), ["seed", "4294967296", "2**32 - 1"]),
    "seed as text": (lambda: train(seed="x"), ["seed", "'x'", "whole number"]),
    "parameters of another net": (
        lambda: train(params=net(L.Dense(3)).init(0)), ["params", "'0.weight': (5, 3)", "(5, 7)"],
    ),
    "parameters as a dictionary": (
        lambda: train(params={"0.weight": X}), ["params", "dict", "net.init"],
    ),
}  # fmt: skip
DATA_CASES: dict[str, tuple[Action, list[str]]] = {
    "data as a tuple": (lambda: train((X, T)), ["data", "tuple", "simdl.Data"]),
    "labels out of range": (
        lambda: train(simdl.Data(train=(X, T + 1))), ["data.train", "label 3", "0 to 2"],
    ),
    "labels out of range in another part": (
        lambda: train(simdl.Data(train=(X, T), validation=(X, T + 5))),
        ["data.validation", "label"],
    ),
    "negative label": (lambda: simdl.Data(train=(X, T - 1)), ["train.t", "-1", "0 up"]),
    "another number of inputs": (
        lambda: train(simdl.Data(train=(X[:, :4], T))), ["data", "(4,)", "must be (5,)"],
    ),
    "numbers for labels": (
        lambda: train(simdl.Data(train=(X, T * 1.5))), ["data.train", "float64", "class indices"],
    ),
    "too few numbers a sample": (
        lambda: train(simdl.Data(train=(X, X[:, :2])), loss="mse"),
        ["data.train", "2", "must be 3"],
    ),
    "samples without targets": (
        lambda: simdl.Data(train=(X, T[:3])), ["train", "37 samples", "3 in t"],
    ),
    "NaN in the data": (
        lambda: simdl.Data(train=(HOLED, T)), ["train.x", "nan", "row 8", "column 1"],
    ),
    "no data": (lambda: simdl.Data(train=(X[:0], T[:0])), ["train.x", "(0, 5)", "at least one"]),
    "output that is not flat": (
        lambda: simdl.train(
            simdl.Network((5, 2), [L.Tanh()]), simdl.Data(train=(RNG.normal(size=(9, 5, 2)), T[:9]))
        ),
        ["network", "(5, 2)", "must be flat"],
    ),
    "no saved result": (lambda: simdl.load("nowhere"), ["nowhere", "no saved result"]),
}  # fmt: skip
CASES = NETWORKS | SETTINGS | DATA_CASES | CALLS


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_said_clearly(name: str) -> None:
    action, parts = CASES[name]
    with pytest.raises(simdl.InputError) as refused:
        action()
    message = str(refused.value)
    for part in parts:
        assert part in message, message
    for noise in ("ArgsKwargs", "constrained-", "pydantic", "Traceback", "0x", "\n\n"):
        assert noise not in message
    assert isinstance(refused.value, ValueError)
    assert refused.value.__cause__ is None  # no second traceback above it
    assert all(len(problem) < 400 for problem in refused.value.problems)


TABLES = (L.KINDS, O.KINDS, losses.KINDS, schedules.KINDS, stopping.KINDS)
FLAGS = [
    (kind, f.name)
    for kinds in TABLES
    for kind in kinds.values()
    for f in dataclasses.fields(kind)
    if isinstance(f.default, bool)
]


@pytest.mark.parametrize(("kind", "name"), FLAGS, ids=lambda v: getattr(v, "__name__", v))
def test_flags_are_true_or_false(kind: Any, name: str) -> None:
    """A number or a word for one is a slip, even where Python takes it for true."""
    needed = [f for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    given = {f.name: 1 for f in needed if f.default_factory is dataclasses.MISSING}
    for value in (1, 0.0, "yes", "true"):
        with pytest.raises(simdl.InputError, match=rf"{name}: {value!r}: .*true or false"):
            kind(**given | {name: value})
        with pytest.raises(simdl.InputError, match=name):
            kind(**given | {name: None})


def test_there_are_enough_cases() -> None:
    assert len(CASES) == sum(map(len, (NETWORKS, SETTINGS, DATA_CASES, CALLS))) >= 25


def test_all_problems_of_a_call_at_once() -> None:
    with pytest.raises(simdl.InputError) as refused:
        train(loss="mae2", optimizer="Adma", batch_size=-3, steps=0, schedule="x", clip_norm=0)
    keys = [problem.partition(":")[0] for problem in refused.value.problems]
    assert sorted(keys) == sorted(
        ["steps", "batch_size", "clip_norm", "loss", "optimizer", "schedule"]
    )


def test_unwritable_output(tmp_path: Path) -> None:
    with pytest.raises(simdl.StorageError, match=r"file.run: cannot be written"):
        save_below_a_file(tmp_path)


def test_wrong_parameter_shape() -> None:
    params = net().init(0)
    with pytest.raises(simdl.InputError, match=r"'0.weight': shape \(7, 5\): must be \(5, 7\)"):
        params["0.weight"] = np.zeros((7, 5))


def test_vectors_that_compiled_code_cannot_read_are_copied() -> None:
    """Columns, broadcast numbers, read-only memory: the parameters are right, and writable."""
    right, many = net().init(0), flat(9)
    many[:, :4] = np.nan  # what a pass that knows no strides would run into
    fixed = right.flat.copy()
    fixed.flags.writeable = False
    for wrap in (net().wrap, right.like):
        for given in (many[:, 4], fixed, flat()[::-1][::-1, 0]):
            params = wrap(given)
            params.check_dense("params")
            assert np.array_equal(simdl.forward(net(), params, X), simdl.forward(net(), right, X))
            params["0.weight"][0, 0] += 1
            assert params.flat[0] == params["0.weight"][0, 0]
        assert np.array_equal(wrap(np.broadcast_to(np.float32(2), 66)).flat, np.full(66, 2.0))
        own = right.flat.copy()
        assert wrap(own).flat is own
    assert np.array_equal(fixed, right.flat) and np.array_equal(many[:, 4], right.flat)


def test_right_input_passes() -> None:
    """The table's own helpers are sound: what is wrong in a case is what it names."""
    assert train().status == train(batch_size="full").status == "completed"
    assert train(batch_size=37, schedule=[0.1, 0.1, 0.1], clip_value=0.5).status == "completed"
