"""Lies here so that pytest puts this folder on the import path, for tests/oracle as well.

Two workers that both find nothing compiled would both compile the same: the training loop, every
layer and every optimizer are compiled before they start, each precision in a process of its own. A
file's tests run in one worker, which makes what they look at once; long files come first, lest one
worker is left with one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from processes import run_together

if TYPE_CHECKING:
    from scenario_faults import Results

    from simdl.scenario.runner import Run

COMPILE = """
import numpy as np, simdl
from layer_cases import LAYERS
from optimizer_cases import OPTIMIZERS

for case in LAYERS:
    net = case.network("{dtype}")
    params, rng = net.init(0), np.random.default_rng(0)
    y = simdl.forward(net, params, case.inputs(rng, 2), training=True)
    simdl.vjp(net, params, case.inputs(rng, 2), y, training=True)
one = np.ones(1, "{dtype}")
for case in OPTIMIZERS:
    update, options, slots = case.spec().rule()
    update(one, one, np.zeros((slots, 1), one.dtype), np.array(options, float), 0.1, 1)
part = np.zeros((4, 2)), np.arange(4) % 2
net = simdl.Network((2,), [simdl.layers.Dense(2)], dtype="{dtype}")
data = simdl.Data(train=part, validation=part)
simdl.train(net, data, batch_size=2, epochs=1, stop="patience", probes=["sharpness"])
print("null")
"""
LONG = ("vanishing_gradients", "lanes", "cache", "mnist1d", "sweep_stale", "sweep_processes", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONG)


def pytest_sessionstart(session: pytest.Session) -> None:
    workers = getattr(session.config.option, "numprocesses", None)
    if workers and not hasattr(session.config, "workerinput"):
        run_together((COMPILE.format(dtype=d) for d in ("float32", "float64")), timeout=900)


# --- scenarios: made of what scenario_faults.py says that a test file gives -----------------------


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run of the file's scenario, at the file's settings."""
    from simdl.scenario.runner import Request, Run

    wanted = Request("quick", request.module.SMALL, tmp_path_factory.mktemp("figures"))
    return Run(request.module.NAME, wanted)


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return run.results()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"claim", "fault"} <= set(metafunc.fixturenames):
        faults = metafunc.module.FAULTS
        metafunc.parametrize(("claim", "fault"), faults.items(), ids=list(faults))
