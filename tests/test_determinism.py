"""Bit-identical parameters and history, whatever runs beside, before or around a training."""

from __future__ import annotations

import hashlib
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from processes import run
from threadpoolctl import threadpool_limits

import simdl
from simdl import layers as L
from simdl.training import describe, train_chunk

SEEDS = (0, 1, 2, 3, 4)
LOOKS = (
    "gradient_rms", "weight_rms", "preactivation_std", "zero_share", "update_ratio", "saturation",
    "activation_histogram", "dead_units",
)  # fmt: skip
PROBES = ("loss", "accuracy", *(simdl.Probe(name, 2) for name in LOOKS))


def training(probes: tuple = PROBES, dtype: str = "float32"):
    layers = [L.Dense(16), L.Tanh(), L.Residual([L.Dense(16), L.ReLU()]), L.Dense(3)]
    net = simdl.Network((6,), layers, init="orthogonal", dtype=dtype)
    return describe(net, batch_size=7, epochs=3, clip_norm=1.0, probes=list(probes))


def data(seed: int) -> simdl.Data:
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(50, 6)), rng.integers(0, 3, 50)
    return simdl.Data(train=(x[:30], t[:30]), test=(x[30:], t[30:]))


def trained(*seeds: int, probes: tuple = PROBES) -> dict[int, str]:
    """Return each seed's digest, trained in one chunk."""
    results = train_chunk(training(probes), [data(seed) for seed in seeds], seeds)
    return {result.seed: fingerprint(result) for result in results}


def fingerprint(result: simdl.Result) -> str:
    """Return a digest of every bit of parameters and history."""
    total = hashlib.sha256(result.params.flat.tobytes())
    for name in sorted(result.history.variables):
        values = result.history[name].values
        total.update(name.encode())
        total.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def alone() -> dict[int, str]:
    """Each seed trained by itself."""
    return {seed: trained(seed)[seed] for seed in SEEDS}


def test_seeds_differ(alone: dict[int, str]) -> None:
    assert len(set(alone.values())) == len(SEEDS)


def test_fingerprint_sees_one_bit() -> None:
    result = train_chunk(training(), [data(0)], [0])[0]
    before = fingerprint(result)
    result.params.flat.view(np.uint32)[3] ^= 1
    assert fingerprint(result) != before


def test_chunks_equal_single_runs(alone: dict[int, str]) -> None:
    assert trained(*SEEDS) == alone
    for pair in itertools.combinations(SEEDS, 2):
        assert trained(*pair) == {seed: alone[seed] for seed in pair}


def test_any_order(alone: dict[int, str]) -> None:
    for order in ((4, 3, 2, 1, 0), (2, 0, 4, 1, 3)):
        assert trained(*order) == alone
    assert {seed: trained(seed)[seed] for seed in reversed(SEEDS)} == alone


def test_through_the_public_door(alone: dict[int, str]) -> None:
    t = training()
    settings = {"batch_size": 7, "epochs": 3, "clip_norm": 1.0, "probes": list(PROBES)}
    for seed in SEEDS[:2]:
        assert fingerprint(simdl.train(t.net, data(seed), seed=seed, **settings)) == alone[seed]


@pytest.mark.parametrize(
    "probes",
    [(), ("loss",), (simdl.Probe("gradient_rms", 1),), (simdl.Probe("loss", 1), *PROBES[2:])],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probes_change_nothing(probes: tuple, dtype: str) -> None:
    with_all = train_chunk(training(dtype=dtype), [data(0)], [0])[0]
    with_some = train_chunk(training(probes, dtype), [data(0)], [0])[0]
    assert with_all.params.flat.tobytes() == with_some.params.flat.tobytes()
    every_step = with_some.history.get("gradient_rms")
    if every_step is not None and every_step.sizes["step"] > with_all.history.sizes["step"]:
        every_other = with_all.history.gradient_rms.dropna("step", how="all")
        assert every_other.equals(every_step[::2])  # the surveys have a record at the end besides


def test_several_threads_at_once(alone: dict[int, str]) -> None:
    for workers in (2, 4):
        with ThreadPoolExecutor(workers) as pool:
            for _ in range(3):
                found = list(pool.map(trained, SEEDS))
                assert {k: v for part in found for k, v in part.items()} == alone


def test_one_network_shared_by_threads(alone: dict[int, str]) -> None:
    shared = training()
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda seed: train_chunk(shared, [data(seed)], [seed])[0], SEEDS)
        assert {result.seed: fingerprint(result) for result in results} == alone


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_threads(alone: dict[int, str], threads: int) -> None:
    with threadpool_limits(threads):
        assert trained(*SEEDS) == alone


def test_training_twice(alone: dict[int, str]) -> None:
    assert trained(0) == trained(0) == {0: alone[0]}


def test_fresh_process_with_other_blas_settings(alone: dict[int, str]) -> None:
    program = "import json; from test_determinism import trained; print(json.dumps(trained(3, 1)))"
    found = run(program, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="2", PYTHONHASHSEED="17")
    assert found == {"3": alone[3], "1": alone[1]}
