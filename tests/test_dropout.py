"""Dropout: its masks, what training makes of them, and its objective in linear regression."""

from __future__ import annotations

import itertools

import naive
import naive_norms
import numpy as np
import pytest
from naive_layers import Run

import simdl
from simdl import layers as L
from simdl import optimizers as O

SIZE = 200
RARE = 4.5  # standard errors: the draws are fixed, the bound is chance's


def masks(rate: float, count: int = 1, seed: int = 0, dtype: str = "float64") -> list[np.ndarray]:
    """Masks (SIZE, SIZE) of 0 and 1 / (1 - rate) of `count` layers that follow one another."""
    net = simdl.Network((SIZE,), [L.Dropout(rate)] * count, dtype=dtype)
    ones = np.ones((SIZE, SIZE))
    pulled = simdl.vjp(net, net.init(0), ones, ones, training=True, seed=seed)
    products = [ones, *(pulled.outputs[i] for i in range(count))]
    with np.errstate(invalid="ignore"):  # where an earlier one is 0 the next is not seen
        return [b / a for a, b in itertools.pairwise(products)]


def at_step(step: int) -> np.ndarray:
    """The mask of a training step, by the loop's own adapter."""
    from simdl.engine.ops.dropout import forward
    from simdl.engine.records import RUN, records

    net = simdl.Network((SIZE,), [L.Dropout()], dtype="float64")
    layout, none = net.program.layout(SIZE), np.zeros(0)
    at, run = layout.tensors(none, none, none), records(RUN, 1)
    run[0].rows, run[0].training, run[0].step = SIZE, 1, step
    layout.view(at.arena, net.program.input)[:] = 1.0
    forward(layout.ops[0], run[0], at)
    return layout.view(at.arena, net.program.output).copy()


# --- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.85])
def test_mean_and_variance(rate: float, dtype: str) -> None:
    """Mean 1 and variance rate / (1 - rate), of two values only; rows and columns alike."""
    mask = masks(rate, dtype=dtype)[0].astype(float)
    values = np.unique(mask)
    assert np.allclose(values, [0, 1 / (1 - rate)], rtol=1e-6)
    spread = (rate / (1 - rate)) ** 0.5
    assert abs(mask.mean() - 1) < RARE * spread / SIZE
    assert abs((mask == 0).mean() - rate) < RARE * (rate * (1 - rate)) ** 0.5 / SIZE
    for axis in (0, 1):
        assert abs(mask.mean(axis=axis) - 1).max() < RARE * spread / SIZE**0.5


def test_independence() -> None:
    """Of layers, seeds, steps and neighbours: no correlation."""
    first, second = masks(0.5, 2)
    seen = first > 0
    assert abs(second[seen].mean() - 1) < RARE / seen.sum() ** 0.5
    other = masks(0.5, seed=1)[0]
    pairs = [(first, other), (first, at_step(1)), (at_step(1), at_step(2)), (first, first.T)]
    pairs += [(first[1:], first[:-1]), (first[:, 1:], first[:, :-1]), (first[:, 4:], first[:, :-4])]
    for a, b in pairs:
        assert abs(((a - 1) * (b - 1)).mean()) < RARE / a.size**0.5
    assert np.array_equal(first, at_step(0))
    assert ((first - 1) * (at_step(0) - 1)).mean() == 1  # the measure sees equal masks


def test_value_and_grad_draws_from_the_seed() -> None:
    """Forward and backward see one mask, the naive one of that seed."""
    net = simdl.Network((5,), [L.Dropout(0.4), L.Dense(2)], dtype="float64")
    params, rng = net.init(0), np.random.default_rng(0)
    x, t = rng.normal(size=(7, 5)), rng.normal(size=(7, 2))
    found = set()
    for seed in (0, 1, 2**32 - 1):
        loss, grads = simdl.value_and_grad(net, params, x, t, loss="mse", seed=seed)
        kept = x * naive_norms.mask(x.shape, 0.4, Run(True, seed))
        error = kept @ params["1.weight"] - t
        assert loss == pytest.approx((error**2).mean(), rel=1e-12)
        assert np.allclose(grads["1.weight"], 2 / error.size * kept.T @ error, rtol=1e-12)
        found.add(loss)
    assert len(found) == 3


# --- training -------------------------------------------------------------------------------------


def regression(rate: float = 0.3) -> tuple[simdl.Network, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    net = simdl.Network((6,), [L.Dropout(rate), L.Dense(1, bias=False)], dtype="float64")
    x = rng.normal(size=(21, 6))
    return net, x, x @ rng.normal(size=(6, 1)) + rng.normal(size=(21, 1))


def test_training_step_by_step() -> None:
    """Every step has the mask of its own number, over the batch in its shuffled order."""
    net, x, t = regression()
    start = net.init(3)
    w, seed, step = start["1.weight"].copy(), 11, 0
    for epoch in range(3):
        order = np.array(naive.permutation(21, seed, 1, epoch))
        for begin in range(0, 21, 8):
            rows = order[begin : begin + 8]
            kept = x[rows] * naive_norms.mask((len(rows), 6), 0.3, Run(True, seed, step))
            w = w - 0.1 * 2 / len(rows) * kept.T @ (kept @ w - t[rows])
            step += 1
    settings = {"loss": "mse", "optimizer": O.SGD(lr=0.1), "batch_size": 8, "epochs": 3}
    result = simdl.train(net, simdl.Data(train=(x, t)), seed=seed, params=start, **settings)
    assert np.allclose(result.params["1.weight"], w, rtol=1e-11)
    want = ((x @ w - t) ** 2).mean()  # evaluation keeps everything
    assert result.metrics["train_loss"] == pytest.approx(want, rel=1e-10)


def test_one_seed_trains_to_the_same_bits_and_another_does_not() -> None:
    net, x, t = regression()
    data, start = simdl.Data(train=(x, t)), net.init(0)

    def trained(seed: int) -> bytes:
        result = simdl.train(
            net, data, loss="mse", batch_size="full", epochs=5, seed=seed, params=start
        )
        return result.params.flat.tobytes()

    assert trained(5) == trained(5) != trained(6)


# --- the objective in linear regression: Srivastava et al. 2014, section 9.1 ----------------------

COPIES = 4000  # of the whole data set in one batch, each under a mask of its own


def mean_loss(net: simdl.Network, w: np.ndarray, x: np.ndarray, t: np.ndarray) -> float:
    """Mean over masks of sum (t - y)^2."""
    many = np.tile(x, (COPIES, 1)), np.tile(t, (COPIES, 1))
    loss, _ = simdl.value_and_grad(net, net.wrap(w.ravel()), *many, loss="mse")
    return loss * len(x)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_expected_objective(rate: float) -> None:
    """Inverted: |t - Xw|^2 + (rate / keep) |G w|^2; as it was published |t - keep X w|^2 + rate
    keep |G w|^2, which is the inverted one at keep w. G^2 = diag(X^T X).
    """
    net, x, t = regression(rate)
    w, keep = np.linspace(-2, 2, 6)[:, None], 1 - rate
    penalty = float(((x**2).sum(axis=0)[:, None] * w**2).sum())
    inverted = ((t - x @ w) ** 2).sum() + rate / keep * penalty
    assert mean_loss(net, w, x, t) == pytest.approx(inverted, rel=0.02)
    published = ((t - keep * x @ w) ** 2).sum() + rate * keep * penalty
    assert mean_loss(net, keep * w, x, t) == pytest.approx(published, rel=0.02)
    assert rate * penalty > 0.05 * inverted  # the penalty is no trifle: without it both fail
