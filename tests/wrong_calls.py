"""Wrong calls of the functional interface: what is called, and what the message must say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl import schedules as S
from simdl import stopping as P

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(37, 5)), RNG.integers(0, 3, 37)


def net(*layers: Any, **settings: Any) -> simdl.Network:
    return simdl.Network((5,), list(layers or (L.Dense(7), L.Tanh(), L.Dense(3))), **settings)


def flat(steps: int = 1) -> np.ndarray:
    """Initial parameters of `net()`, once a column."""
    return np.repeat(net().init(0).flat[:, None], steps, axis=1)


def update(chosen: Any = None, params: Any = None, grads: Any = None, **settings: Any) -> Any:
    """One step; what is not given is right."""
    start = net().init(0)
    state = settings.pop("state", None)
    chosen = chosen or O.Adam()
    return chosen.update(
        start if params is None else params, start if grads is None else grads,
        chosen.init(start) if state is None else state, **settings,
    )  # fmt: skip


def spoiled(flat: np.ndarray) -> Any:
    """Parameters whose vector was replaced behind their back."""
    params = net().init(0)
    params.flat = flat
    return params


def stopped(rule: Any, loss: str = "softmax_cross_entropy", t: np.ndarray = T) -> Any:
    """Train with a stop rule, without validation data."""
    return simdl.train(net(), simdl.Data(train=(X, t)), loss=loss, stop=rule, steps=3)


def varied(variance: float, *more: Any) -> Any:
    """Parameters behind a BatchNorm of this running variance."""
    params = net(L.BatchNorm(), *more).init(0)
    params.buffers["0.running_var"] = np.full(5, variance)
    return params


def started(on: Any, params: Any) -> Any:
    """Train from given parameters."""
    return simdl.train(on, simdl.Data(train=(X, T)), steps=1, params=params)


def described(**table: Any) -> Any:
    """A training described by tables."""
    return simdl.Sweep(table, {}, 1)


Action = Callable[[], Any]
CALLS: dict[str, tuple[Action, list[str]]] = {
    "forward of another shape": (
        lambda: simdl.forward(net(), net().init(0), X[:, :3]), ["x", "(37, 3)", "(n, 5)"],
    ),
    "forward of no samples": (
        lambda: simdl.forward(net(), net().init(0), X[:0]), ["x", "at least one"],
    ),
    "forward of text": (
        lambda: simdl.forward(net(), net().init(0), np.full((2, 5), "a")), ["x", "<U1", "numbers"],
    ),
    "forward with another net's parameters": (
        lambda: simdl.forward(net(), net(L.Dense(3)).init(0), X), ["params", "18", "66"],
    ),
    "forward with another precision": (
        lambda: simdl.forward(net(), net(dtype="float64").init(0), X),
        ["params", "float64", "float32"],
    ),
    "gradient with too few targets": (
        lambda: simdl.value_and_grad(net(), net().init(0), X, T[:3]),
        ["t", "3 targets", "must be 37"],
    ),
    "cotangent of another shape": (
        lambda: simdl.vjp(net(), net().init(0), X, X), ["cotangent", "(37, 5)", "(37, 3)"],
    ),
    "unknown parameter": (
        lambda: net().init(0)["0.wieght"], ["'0.wieght'", "did you mean '0.weight'?"],
    ),
    "update with another net's gradient": (
        lambda: O.SGD().update(net().init(0), net(L.Dense(3)).init(0), O.SGD().init(net().init(0))),
        ["grads", "18", "66"],
    ),
    "update with another optimizer's state": (
        lambda: update(state=O.SGD(lr=0.1).init(net().init(0))),
        ["state.slots", "(0, 66)", "(2, 66) of float32", "Adam.init"],
    ),
    "update with the state of another net": (
        lambda: update(state=O.Adam().init(net(L.Dense(3)).init(0))), ["state.slots", "(2, 18)"],
    ),
    "update with a state of another precision": (
        lambda: update(state=O.State(np.zeros((2, 66)))), ["state.slots", "float64", "float32"],
    ),
    "update with slots that are no array": (
        lambda: update(state=O.State([0.0])), ["state.slots", "list", "Adam.init"],
    ),
    "update with an array for a state": (
        lambda: update(state=np.zeros((2, 66))), ["state", "ndarray", "Adam.init"],
    ),
    "update at a negative step": (
        lambda: update(state=O.State(np.zeros((2, 66), np.float32), -1)), ["state.t", "-1"],
    ),
    "update of a dictionary": (
        lambda: update(params=dict(net().init(0))), ["params", "dict", "net.init"],
    ),
    "update by a plain vector": (
        lambda: update(grads=net().init(0).flat), ["grads", "ndarray", "net.init"],
    ),
    "update by a column": (
        lambda: update(grads=spoiled(flat(9)[:, 4])), ["grads.flat", "without gaps"],
    ),
    "a number for a flag": (
        lambda: O.SGD(momentum=0.9, nesterov=1), ["SGD.nesterov", "1", "true or false"],
    ),
    "update at a negative rate": (lambda: update(lr=-0.1), ["lr", "-0.1", "0 or more"]),
    "update at a rate of NaN": (lambda: update(lr=np.nan), ["lr", "nan", "finite"]),
    "update at a rate as text": (lambda: update(lr="0.1"), ["lr", "'0.1'", "number"]),
    "flat vector too short": (lambda: net().wrap(flat()[:9, 0]), ["flat", "(9,)", "(66,)"]),
    "flat vector too long": (
        lambda: net().wrap(np.zeros(99, np.float32)), ["flat", "(99,)", "(66,)"],
    ),
    "flat vector as a matrix": (lambda: net().wrap(flat()), ["flat", "(66, 1)", "(66,)"]),
    "flat vector of whole numbers": (
        lambda: net().init(0).like(np.zeros(66, int)), ["flat", "int64", "float32 or float64"],
    ),
    "flat vector of another length": (
        lambda: net().init(0).like(flat()[1:, 0]), ["flat", "(65,)", "(66,)"],
    ),
    "flat vector of another precision": (
        lambda: net().wrap(np.zeros(66)), ["flat", "float64", "must be float32"],
    ),
    "forward with a column": (
        lambda: simdl.forward(net(), spoiled(flat(9)[:, 4]), X), ["params.flat", "without gaps"],
    ),
    "forward with a broadcast number": (
        lambda: simdl.forward(net(), spoiled(np.broadcast_to(np.float32(1), 66)), X),
        ["params.flat", "without gaps"],
    ),
    "forward with a dictionary": (
        lambda: simdl.forward(net(), dict(net().init(0)), X), ["params", "dict", "net.init"],
    ),
    "training pass with a dictionary": (
        lambda: simdl.forward(net(), dict(net().init(0)), X, training=True), ["params", "dict"],
    ),
    "forward with x before the parameters": (
        lambda: simdl.forward(net(), X, net().init(0)), ["params", "ndarray", "net.init"],
    ),
    "gradient with the parameters first": (
        lambda: simdl.value_and_grad(net().init(0), net(), X, T), ["net", "Parameters", "Network"],
    ),
    "pull back with x before the parameters": (
        lambda: simdl.vjp(net(), X, net().init(0), X), ["params", "ndarray", "net.init"],
    ),
    "forward of ragged rows": (
        lambda: simdl.forward(net(), net().init(0), [[1.0], [1.0, 2.0]]), ["x", "list", "numbers"],
    ),
    "text for a cotangent": (
        lambda: simdl.vjp(net(), net().init(0), X, np.full((37, 3), "1")),
        ["cotangent", "<U1", "numbers"],
    ),
    "unknown stop rule": (
        lambda: stopped("patiense"), ["stop", "'patiense'", "did you mean 'patience'?"],
    ),
    "stop rule as a class": (lambda: stopped(P.GL), ["stop", "GL", "an instance"]),
    "stop rule without its number": (lambda: stopped("GL"), ["stop.alpha", "missing"]),
    "stop rule that is never asked": (
        lambda: simdl.train(net(), simdl.Data(train=(X, T), validation=(X, T)), steps=3,
                            stop=P.Patience(every=1000)),
        ["stop.every", "1000", "at most 3"],
    ),
    "unknown key of a stop rule": (
        lambda: stopped({"name": "patience", "epoch": 3}), ["stop.epoch", "did you mean 'epochs'?"],
    ),
    "patience of 0": (lambda: stopped({"name": "patience", "epochs": 0}), ["stop.epochs", "0"]),
    "alpha of 0": (lambda: P.PQ(0), ["PQ.alpha", "0", "greater than 0"]),
    "half a strip": (lambda: P.UP(1, k=2.5), ["UP.k", "2.5", "integer"]),
    "stop rule every 0 steps": (lambda: P.UP(1, every=0), ["UP.every", "0", "'epoch'"]),
    "keeping the first": (lambda: P.UP(1, keep="first"), ["UP.keep", "'first'", "'best'"]),
    "target on the test part": (
        lambda: P.Target("test_loss", 1), ["Target.metric", "'test_loss'", "'validation_loss'"],
    ),
    "stop rule without validation data": (
        lambda: stopped("patience"), ["stop: Patience", "validation", "second share"],
    ),
    "target on a part that is not there": (
        lambda: stopped(P.Target("validation_loss", 1)), ["stop: Target", "data.validation"],
    ),
    "target accuracy without classes": (
        lambda: stopped(P.Target("train_accuracy", 1), "mse", X[:, :3]),
        ["stop.metric", "'train_accuracy'", "no classes"],
    ),
    "unknown key of a schedule": (
        lambda: S.schedule({"name": "step", "size": 3}), ["schedule.size", "'step_size'"],
    ),
    "schedule without a name": (
        lambda: S.schedule({"gamma": 3}), ["schedule.name", "missing", "cosine"],
    ),
    "schedule as a class": (lambda: S.schedule(S.Cosine), ["schedule", "Cosine", "instance"]),
    "unknown unit": (lambda: S.Cosine(unit="day"), ["Cosine.unit", "'day'", "'epoch' or 'step'"]),
    "milestone of 0": (lambda: S.MultiStep([0]), ["MultiStep.milestones.0", "0", "equal to 1"]),
    "negative gamma": (lambda: S.Exponential(-1), ["Exponential.gamma", "-1", "equal to 0"]),
    "rates beyond all bounds": (
        lambda: S.Exponential(10.0).rates(1.0, 400, 1), ["Exponential", "inf at step 309"],
    ),
    "climb beyond the end": (lambda: S.OneCycle(pct_start=2), ["OneCycle.pct_start", "2"]),
    "unknown annealing": (
        lambda: S.OneCycle(anneal_strategy="cosine"), ["anneal_strategy", "'cosine'", "'cos'"],
    ),
    "unknown schedule behind a warm-up": (
        lambda: S.schedule({"name": "warmup", "then": "cosin"}), ["schedule.then", "'cosine'"],
    ),
    "one output for a softmax": (
        lambda: simdl.train(net(L.Dense(1)), simdl.Data(train=(X, 0 * T)), steps=1),
        ["1 output", "loss 0", "loss='binary_cross_entropy'"],
    ),
    "running variance below 0": (
        lambda: simdl.forward(net(L.BatchNorm()), varied(-1), X),
        ["params.buffers", "'0.running_var'", "-1.0", "0 or more"],
    ),
    "training from a running variance below 0": (
        lambda: started(net(L.BatchNorm(), L.Dense(3)), varied(-1, L.Dense(3))),
        ["params.buffers", "'0.running_var'", "-1.0", "0 or more"],
    ),
    "training from NaN": (
        lambda: started(net(), spoiled(flat()[:, 0] * np.nan)),
        ["params", "'0.weight'", "nan", "finite"],
    ),
    "running variance of inf": (
        lambda: started(net(L.BatchNorm(), L.Dense(3)), varied(np.inf, L.Dense(3))),
        ["params.buffers", "'0.running_var'", "inf", "finite"],
    ),
    "name for the type of layers": (
        lambda: described(network={"kind": "layers", "layers": [{"name": "Dense"}] * 3}),
        ["network.layers.0.name: 'Dense'", "type = 'Dense'", "2 more alike"],
    ),
    "misspelt activation": (
        lambda: described(network={"activation": "rellu"}), ["'rellu'", "did you mean 'ReLU'?"],
    ),
    "key of a table, without it": (
        lambda: described(batch_size=5), ["batch_size", "did you mean 'training.batch_size'?"],
    ),
    "key of two tables, without them": (
        lambda: described(epochs=5), ["epochs", "'training.epochs' or 'stop.epochs'"],
    ),
    "key of an optimizer, without its table": (
        lambda: described(lr=5), ["lr", "did you mean 'optimizer.lr'?"],
    ),
    "module that is nowhere": (
        lambda: L.Activation("no_such_module:f", "no_such_module:g"),
        ["Activation.forward", "'no_such_module:f'", "searched: ", "sys.path"],
    ),
    "too few rates behind a warm-up": (
        lambda: S.Warmup(1, then=[0.1]).rates(1.0, 5, 1), ["schedule", "(1,)", "each of 4 steps"],
    ),
}  # fmt: skip
