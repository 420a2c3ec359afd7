"""Where a step's time goes, and what memory a training takes: complete, and as it is."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from own_tables import Capture, run

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl.data import Data
from simdl.footprint import footprint
from simdl.preparation import parts_of, plan_of
from simdl.profiling import clocked, profile
from simdl.training import describe

RNG = np.random.default_rng(0)
DATA = Data(train=(RNG.normal(size=(200, 12, 12, 3)), RNG.integers(0, 4, 200)))
NETS: dict[str, tuple[Any, ...]] = {
    "dense": (L.Flatten(), L.Dense(300), L.Tanh(), L.Dense(200), L.ReLU(), L.Dense(4)),
    "convolution": (
        L.Conv2D(8, 3, padding="same"), L.BatchNorm(), L.ReLU(), L.MaxPool2D(2),
        L.Residual([L.Conv2D(8, 3, padding="same"), L.ReLU()]), L.Flatten(), L.Dropout(0.2),
        L.Dense(4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_every_layer_has_its_row(name: str) -> None:
    net = simdl.Network((12, 12, 3), NETS[name])
    training = describe(net, batch_size=16, epochs=2, clip_norm=1.0, l2=1e-3)
    found = profile(training, DATA)
    busy = [net.program.leaf(i)[0] for i in range(len(net.program.layout(1).ops))]
    assert [row.layer for row in found.rows] == list(dict.fromkeys(busy))
    for row in found.rows:
        assert row.forward > 0 and row.backward > 0 and row.bytes > 0
        assert (row.products == row.products) == row.kind.startswith(("Dense", "Conv"))
    assert all(us > 0 for us in found.parts.values()) and found.step > 0
    told = str(found)
    assert all(row.kind in told for row in found.rows) and "memory" in told
    assert json.loads(json.dumps(found.table()))["step"] == found.step


def test_counts_of_products_and_bytes_are_those_of_the_definitions() -> None:
    """Twice a multiplication an element of the weight; no gradient to the input of the first."""
    net = simdl.Network((12, 12, 3), NETS["convolution"])
    rows = {row.layer: row for row in profile(describe(net, batch_size=16, epochs=1), DATA).rows}
    patch, pixels = 9 * 3, 12 * 12
    assert rows["0"].flops == 2 * (2 * 16 * pixels * patch * 8)
    assert rows["7"].flops == 3 * (2 * 16 * 6 * 6 * 8 * 4)
    weight, x, y = patch * 8 + 8, pixels * 3, pixels * 8
    assert rows["0"].bytes == 4 * (3 * weight + 16 * (2 * x + 2 * y))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("optimizer", [O.SGD(), O.SGD(momentum=0.9), O.Adam()], ids=str)
def test_memory_is_what_is_allocated(name: str, optimizer: O.Optimizer) -> None:
    net = simdl.Network((12, 12, 3), NETS[name])
    training = describe(net, batch_size=32, epochs=1, optimizer=optimizer, probes=[])
    parts = parts_of(training, [DATA])
    plan_of(training, parts)  # imports, layouts
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held = [plan_of(training, parts), net.start(1)]
    held.append(np.zeros((1, optimizer.rule()[2], net.n_parameters), net.dtype))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(held) == 3
    assert sum(footprint(training, 200).values()) == pytest.approx(taken, rel=0.1)


def test_a_clock_counts_calls() -> None:
    calls: list[int] = []
    assert clocked(lambda n: calls.extend([n] * n), 1e-4) > 0
    assert calls[0] == 1 and max(calls) > 1


def test_from_the_command_line(capsys: Capture) -> None:
    few = ("--data", "digits", "--set", "network.width=8", "--set", "training.epochs=1")
    assert run("profile", *few) == 0
    said = capsys.readouterr()
    assert "optimizer" in said.out and "one thread" in said.err
    assert run("profile", *few, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert [row["kind"] for row in table["layers"]] == ["Dense", "ReLU", "Dense", "ReLU", "Dense"]
    assert run("profile", "--data", "digts") == 2
    assert "did you mean 'digits'" in capsys.readouterr().err
