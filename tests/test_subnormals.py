"""Subnormal numbers are flushed to zero inside training, and nowhere else."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import simdl
from simdl import _jit
from simdl import layers as L
from simdl import optimizers as O
from simdl.training import describe, train_chunk

SMALLEST = float(np.finfo(np.float64).tiny)  # the smallest normal number
FLUSH = 0x8040
pytestmark = pytest.mark.skipif(not (_jit._X86 and _jit.JIT), reason="flushed on x86 only")


def halving_net() -> simdl.Network:
    """Its activation gives SMALLEST / 2: subnormal, or 0 where these are flushed."""
    halve = L.Activation("planted:halve", "planted:same_backward", alpha=SMALLEST, check=False)
    return simdl.Network((4,), [L.Dense(5), halve, L.Dense(3)], dtype="float64")


def data(scale: float = 1.0) -> simdl.Data:
    rng = np.random.default_rng(0)
    return simdl.Data(train=(scale * rng.normal(size=(12, 4)), rng.integers(0, 3, 12)))


def register() -> int:
    """Read this thread's control register."""
    mode = _jit.flush_subnormals()
    _jit.restore_subnormals(mode)
    return mode


def trained_here(net: simdl.Network, where: simdl.Data, **settings: object) -> simdl.Result:
    """Train in this thread: `train` itself would start another one."""
    training = describe(net, batch_size=5, **{"epochs": 2} | settings)
    return train_chunk(training, [where], [0], control=np.zeros(3, np.int64))[0]


def test_flushing_and_restoring() -> None:
    before = register()
    assert before & FLUSH == 0
    assert _jit.flush_subnormals() == before
    assert register() == before | FLUSH
    _jit.restore_subnormals(before)
    assert register() == before


def test_flushed_inside_training_only() -> None:
    net = halving_net()
    inside = simdl.train(net, data(), probes=["zero_share"], batch_size=5, epochs=1)
    assert float(inside.history.zero_share.sel(layer="1")[0]) == 1.0
    outside = simdl.vjp(net, net.init(0), data().train[0], np.zeros((12, 3))).outputs[1]
    assert (outside == SMALLEST / 2).all() and SMALLEST / 2 > 0


def test_register_is_unchanged_after_training() -> None:
    before = register()
    assert trained_here(halving_net(), data()).status == "completed"
    assert register() == before
    assert SMALLEST * 0.5 > 0


def test_register_is_unchanged_after_a_divergence() -> None:
    before = register()
    result = trained_here(halving_net(), data(), optimizer=O.SGD(lr=1e300), schedule=[1e308] * 6)
    assert result.status == "diverged"
    assert register() == before


def test_register_is_unchanged_after_an_op_has_raised() -> None:
    before = register()
    refuse = L.Activation("planted:refuse", "planted:same_backward")
    net = simdl.Network((4,), [refuse, L.Dense(3)], dtype="float64")
    with pytest.raises(RuntimeError, match="a marked value"):
        trained_here(net, data(scale=1e9))
    assert register() == before


def test_register_is_unchanged_after_a_cancellation() -> None:
    before = register()
    training = describe(halving_net(), batch_size=5, epochs=2)
    stopped = train_chunk(training, [data()], [0], control=np.array([1, 0, 0]))[0]
    assert stopped.status == "cancelled" and register() == before


def test_other_threads_keep_their_mode() -> None:
    """The mode belongs to a thread: one that trains leaves a worker's next task alone."""
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(register).result()
        pool.submit(trained_here, halving_net(), data()).result()
        assert pool.submit(register).result() == before


def test_results_do_not_depend_on_the_callers_mode() -> None:
    """A thread that flushes already trains to the same bits as one that does not."""
    deep = [layer for _ in range(20) for layer in (L.Dense(8), L.Sigmoid())]
    net = simdl.Network((4,), [*deep, L.Dense(3)], init={"name": "normal", "std": 1e-3})
    plain = trained_here(net, data())
    mode = _jit.flush_subnormals()
    try:
        flushed = trained_here(net, data())
    finally:
        _jit.restore_subnormals(mode)
    assert plain.params.flat.tobytes() == flushed.params.flat.tobytes()
    assert math.isfinite(plain.metrics["train_loss"])
