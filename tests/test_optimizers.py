"""Optimizers against theory; which parameters shrink; penalties in closed form."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl.configuration import Configuration
from simdl.engine import updating
from simdl.preparation import parts_of, plan_of
from simdl.training import describe, train_chunk

# --- theory ---------------------------------------------------------------------------------------


@numba.njit
def online(update, slots, options, scale, a, steps):
    """Play Reddi et al. 2018, theorem 1: f_t(x) = C x if t mod 3 = 1, else -x, on [-1, 1].

    Returns how far x_(3t+1) ever was from 1, the mean regret against x = -1, and the last x.
    """
    x, g = np.ones(1), np.empty(1)
    worst, regret = 0.0, 0.0
    for t in range(1, steps + 1):
        g[0] = scale if t % 3 == 1 else -1.0
        if t % 3 == 1:
            worst = max(worst, abs(x[0] - 1.0))
        regret += g[0] * (x[0] + 1.0)
        update(x, g, slots, options, a / np.sqrt(t), t)
        x[0] = min(1.0, max(-1.0, x[0]))
    return worst, regret / steps, x[0]


def played(optimizer: O.Optimizer, scale: float = 3.0, a: float = 0.5) -> Any:
    update, options, count = optimizer.rule()
    return online(update, np.zeros((count, 1)), np.array(options), scale, a, 300_001)


@pytest.mark.parametrize("scale", [2.5, 3.0, 4.0])
def test_adam_never_learns_where_amsgrad_and_sgd_do(scale: float) -> None:
    """a < sqrt(1 - beta2): Adam's regret stays at 2 (C - 2) / 3, the others' goes to 0."""
    betas = (0.0, 1 / (1 + scale**2))
    settings = {"betas": betas, "eps": 0.0, "bias_correction": False}
    worst, regret, _ = played(O.Adam(**settings), scale)
    assert worst <= 1e-12
    assert regret == pytest.approx(2 * (scale - 2) / 3, abs=0.005)
    for other in (O.Adam(**settings, amsgrad=True), O.SGD()):
        worst, regret, x = played(other, scale)
        assert worst > 1 and abs(regret) < 0.005 and x < -0.99


def one(kind: O.Optimizer, g: np.ndarray, w: np.ndarray, steps: int) -> np.ndarray:
    """Return w (p,) after `steps` updates along the same gradient g (p,)."""
    net = simdl.Network((w.size,), [L.Dense(1, bias=False)], dtype="float64")
    params, grads = net.wrap(w.copy()), net.wrap(g.copy())
    state = kind.init(params)
    for _ in range(steps):
        params, state = kind.update(params, grads, state)
    return params.flat


def test_adams_first_step_is_the_sign() -> None:
    g = np.concatenate([np.geomspace(0.01, 1e6, 30), -np.geomspace(0.01, 1e6, 30)])
    step = one(O.Adam(lr=0.1), g, np.zeros(60), 1)
    np.testing.assert_allclose(step, -0.1 * np.sign(g), rtol=1e-6)
    raw = one(O.Adam(lr=0.1, bias_correction=False), g, np.zeros(60), 1)
    np.testing.assert_allclose(raw, -0.1 * np.sign(g) * 0.1 / np.sqrt(0.001), rtol=1e-4)


def test_decoupled_decay_and_what_adam_makes_of_l2() -> None:
    """Without a loss's gradient AdamW decays, and Adam drifts by lr a step whatever the factor."""
    still, start = np.zeros(1), np.ones(1)
    for factor in (0.01, 0.1):
        decayed = one(O.AdamW(lr=1e-3, weight_decay=factor), still, start, 100)
        assert decayed[0] == pytest.approx((1 - 1e-3 * factor) ** 100, rel=1e-6)
        drifted = one(O.Adam(lr=1e-3, weight_decay=factor), still, start, 100)
        assert drifted[0] == pytest.approx(0.9017, abs=0.002)


# --- penalties in closed form: an orthonormal design, 1/2 |y - Xw|^2 ------------------------------

N, STRENGTH = 12, 0.3


def fitted(**settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what `train` finds, and the solution without a penalty."""
    rng = np.random.default_rng(4)
    x, _ = np.linalg.qr(rng.normal(size=(N, 5)))
    free = np.array([1.0, -0.7, 0.2, -0.1, 0.31])
    t = (x @ free)[:, None]
    net = simdl.Network((5,), [L.Dense(1, bias=False)], dtype="float64")
    defaults = {"optimizer": O.SGD(lr=N / 4), "loss": "mse", "batch_size": "full", "steps": 60}
    result = simdl.train(net, simdl.Data(train=(x, t)), **defaults | settings)
    assert result.metrics["train_loss"] == pytest.approx(
        ((t[:, 0] - x @ result.params.flat) ** 2).mean(), rel=1e-9
    )  # the data's loss alone
    return result.params.flat, free


@pytest.mark.parametrize(
    "settings",
    [
        {"l1": 2 * STRENGTH / N},
        {"optimizer": O.ProximalSGD(lr=N / 4, l1=2 * STRENGTH / N)},
        {"optimizer": O.ProximalSGD(lr=N / 8, l1=2 * STRENGTH / N, momentum=0.5)},
    ],
    ids=["penalty", "proximal", "proximal with momentum"],
)
def test_l1_shrinks_to_exact_zeros(settings: dict[str, Any]) -> None:
    w, free = fitted(**settings)
    want = np.sign(free) * np.maximum(np.abs(free) - STRENGTH, 0)
    np.testing.assert_allclose(w, want, atol=1e-6)
    assert (w[2:4] == 0).all() and w[4] != 0


@pytest.mark.parametrize(
    "settings",
    [{"l2": 2 * STRENGTH / N}, {"optimizer": O.SGD(lr=N / 4, weight_decay=2 * STRENGTH / N)}],
    ids=["penalty", "decay"],
)
def test_l2_shrinks_all_alike(settings: dict[str, Any]) -> None:
    w, free = fitted(**settings)
    np.testing.assert_allclose(w, free / (1 + STRENGTH), atol=1e-6)


# --- which parameters shrink ----------------------------------------------------------------------

MIXED = (
    L.Conv2D(3, 3), L.ReLU(), L.Flatten(), L.Dense(6, bias=False), L.Dense(5),
    L.Residual([L.Dense(5), L.Tanh()]), L.Dense(3),
)  # fmt: skip
SHRINKING = {
    kind: {"l1": 0.4} if kind == "ProximalSGD" else {} if kind == "Rprop" else {"weight_decay": 0.4}
    for kind in O.KINDS
}


def prepared(**settings: Any) -> tuple[Any, Any, simdl.Network]:
    """Return how a training runs, its space, and the network; data are of no matter."""
    net = simdl.Network((5, 5, 2), MIXED, dtype="float64")
    training = describe(net, steps=4, batch_size=2, **settings)
    data = simdl.Data(train=(np.zeros((2, 5, 5, 2)), np.array([0, 2])))
    return *plan_of(training, parts_of(training, [data])), net


def by_hand(
    optimizer: O.Optimizer, params: np.ndarray, grads: np.ndarray, shrinks: bool
) -> np.ndarray:
    """Return params (p,) after steps along grads (steps, p), with or without decay."""
    update, options, count = optimizer.rule()
    numbers, slots = np.array(options), np.zeros((count, params.size))
    numbers[1] *= shrinks
    params = params.copy()
    for t, g in enumerate(grads, start=1):
        update(params, g, slots, numbers, optimizer.lr, t)
    return params


@pytest.mark.parametrize("kind", O.KINDS)
def test_what_is_excluded_takes_the_same_steps_without_decay(kind: str) -> None:
    """Bit for bit what the rule makes of each group alone, its state included."""
    optimizer = O.optimizer({"name": kind, "lr": 0.01, **SHRINKING[kind]})
    rng = np.random.default_rng(6)
    for excluded in (False, True):
        how, space, net = prepared(optimizer=optimizer, penalize_biases=not excluded)
        weight = np.zeros(net.n_parameters, bool)
        for name, view in net.wrap(np.arange(net.n_parameters, dtype=float)).items():
            weight[view.ravel().astype(int)] = name.endswith("weight")
        start, grads = rng.normal(size=weight.size), rng.normal(size=(4, weight.size))
        space.at.params[:] = start
        slots = np.zeros((optimizer.rule()[2], weight.size))
        for step, g in enumerate(grads):
            space.at.grads[:] = g
            updating.update(how, space.at, slots, step)
        decayed, kept = (by_hand(optimizer, start, grads, shrinks) for shrinks in (True, False))
        assert kind == "Rprop" or not np.array_equal(decayed, kept)
        assert len(how.groups) == (9 if excluded else 1)
        want = np.where(weight | (not excluded), decayed, kept)
        assert np.array_equal(space.at.params, want)


def test_penalties_skip_what_is_excluded() -> None:
    for everywhere in (True, False, None):
        how, space, net = prepared(l1=10.0, l2=0.5, penalize_biases=everywhere)
        space.at.params[:] = 0.25
        updating.penalize(how, space.at)
        for name, view in net.wrap(space.at.grads).items():
            assert (view == (0.125 if everywhere or name.endswith("weight") else 0)).all()
        space.at.grads[:] = 0
        updating.update(how, space.at, np.zeros((2, net.n_parameters)), 0)  # threshold .01
        for name, view in net.wrap(space.at.params).items():
            shrunk = everywhere or name.endswith("weight")
            np.testing.assert_allclose(view, 0.25 - 0.01 * bool(shrunk), rtol=1e-14)


@pytest.mark.parametrize("uphill", [False, True])
def test_the_l2_penalty_is_weight_decay(uphill: bool) -> None:
    """Without clipping the two are one thing, uphill as well."""
    ways = []
    for settings in ({"l2": 0.2, "penalize_biases": True}, {}):
        decay = 0.0 if settings else 0.2
        adam = O.Adam(lr=0.1, weight_decay=decay, maximize=uphill)
        how, space, _ = prepared(optimizer=adam, **settings)
        rng, slots = np.random.default_rng(8), np.zeros((2, space.at.params.size))
        space.at.params[:] = rng.normal(size=space.at.params.size)
        for step in range(4):
            space.at.grads[:] = rng.normal(size=space.at.grads.size)
            updating.penalize(how, space.at)
            updating.update(how, space.at, slots, step)
        ways.append(space.at.params)
    np.testing.assert_allclose(*ways, rtol=1e-12)


def test_the_default_is_pytorchs() -> None:
    """An optimizer's own decay acts on all parameters at once, penalties on weights."""
    how, _, net = prepared(l2=0.1)
    assert how.groups.tolist() == [[0, net.n_parameters, 0]]
    assert how.penalized.tolist() == [list(place) for place in net.program.weights()]
    assert len(how.penalized) == 5


def test_groups_know_nothing_of_the_other_seeds() -> None:
    rng = np.random.default_rng(1)
    data = simdl.Data(train=(rng.normal(size=(8, 5, 5, 2)), rng.integers(0, 3, 8)))
    training = describe(
        simdl.Network((5, 5, 2), MIXED), optimizer="NAdam", batch_size=3, epochs=2,
        l1=1e-3, l2=0.1, penalize_biases=False,
    )  # fmt: skip
    together = train_chunk(training, [data], [3, 4])
    for seed, result in zip((3, 4), together, strict=True):
        alone = train_chunk(training, [data], [seed])[0]
        assert np.array_equal(alone.params.flat, result.params.flat)


# --- the file -------------------------------------------------------------------------------------


def test_a_file_names_optimizers_and_penalties() -> None:
    table = {
        "data": {"name": "digits"},
        "network": {"depth": 1, "width": 4},
        "optimizer": {"name": "RMSprop", "centered": True, "alpha": 0.9},
        "regularization": {"l1": 1e-3, "l2": 0.1, "penalize_biases": True, "clip_norm": 2.0},
    }
    configuration = Configuration.parse(table)
    training = configuration.build(configuration.data(0))
    assert training.optimizer == O.RMSprop(centered=True, alpha=0.9)
    assert (training.l1, training.l2, training.clip_norm) == (1e-3, 0.1, 2.0)
    assert training.penalize_biases is True
    plain = Configuration.parse({"data": {"name": "digits"}})
    assert plain.build(plain.data(0)).penalize_biases is None


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"l1": -1}, ["regularization.l1", "-1", "equal to 0"]),
        ({"penalize_biases": "yes"}, ["regularization.penalize_biases", "'yes'", "true or false"]),
        ({"l3": 1}, ["regularization.l3", "unknown key", "l1"]),
    ],
)
def test_a_wrong_file_is_said_clearly(given: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(simdl.InputError) as refused:
        Configuration.parse({"regularization": given})
    for part in parts:
        assert part in str(refused.value)
