"""Sweeps on a Dask scheduler's workers: results of threads to the bit, losses, killers, errors."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import own_trials
import pytest
from processes import ROOT
from sweep_cases import BASE, bits, child, trainings

from simdl import cli
from simdl.errors import InputError
from simdl.sweep import FailedTrials, Progress, Sweep, shipping


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    return int(end.value.code or 0)


def test_workers_have_the_package_and_no_checkout(cluster: str, installed: Path) -> None:
    made = Sweep({"seconds": 0.05}, seeds=12, measure=own_trials.place)
    runs = made.run(executor=cluster)
    assert set(runs.package.values) == {str(installed)}
    assert not [f for f in set(runs.folder.values) if Path(f).is_relative_to(ROOT)]
    assert len(set(runs.process.values)) == 2 and os.getpid() not in runs.process
    assert set(runs.threads.values) == {1}


def test_trainings_are_those_of_threads(cluster: str, tmp_path: Path) -> None:
    on_workers = trainings().run(tmp_path / "s", executor=cluster)
    assert on_workers.attrs["trained"] == 20
    assert bits(on_workers) == bits(trainings().run())
    again = trainings().run(tmp_path / "s", executor=cluster)
    assert again.attrs["trained"] == 0 and bits(again) == bits(on_workers)


def test_a_dry_run_asks_nobody(tmp_path: Path, capsys: Any) -> None:
    """Nobody listens there; what is said of time and memory is this machine's."""
    (tmp_path / "sweep.toml").write_text("seeds = 3\n[training]\nsteps = 5\n", encoding="utf-8")
    far = ("--executor", "dask://127.0.0.1:9")
    assert command("sweep", tmp_path / "sweep.toml", "--dry-run", "--jobs", 2, *far) == 0
    out = capsys.readouterr().out
    assert "= 3 trials" in out
    assert "both are this machine's with 2 jobs; dask://127.0.0.1:9 is not asked" in out


def test_the_readmes_block(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """As it stands, but for the address."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    address = "dask://127.0.0.1:8786"
    assert block.count(address) == 1
    (tmp_path / "sweep.toml").write_text("seeds = 2\n[training]\nsteps = 5\n", encoding="utf-8")
    (tmp_path / "block.py").write_text(block.replace(address, cluster), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("block.py", run_name="__main__")
    assert "xarray.DataArray 'test_accuracy'" in capsys.readouterr().out
    assert Sweep.from_toml("sweep.toml").missing(tmp_path / "sweep.sqlite") == 0


OP = """
import numba
import {helper}

@numba.njit
def forward(y, x, alpha):
    for i in range(x.size):
        y[i] = {factor} * x[i]

@numba.njit
def backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = {factor} * dy[i]
"""


def test_own_ops_and_own_data_travel(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once they were edited: a worker must not go on with what it had before."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "travelling_helper.py").write_text("VALUE = 1\n")
    layers = [
        {"type": "Dense", "units": 4},
        {"type": "Activation", "forward": "travelling_op:forward",
         "backward": "travelling_op:backward"},
        {"type": "Dense", "units": 2},
    ]  # fmt: skip
    base = {
        "data": {"path": "own.npz"},
        "network": {"kind": "layers", "layers": layers},
        "training": {"epochs": 2},
    }
    found = []
    for factor in (2.0, 0.5):
        np.savez(tmp_path / "own.npz", x=(factor - 1) * x, t=t)
        (tmp_path / "travelling_op.py").write_text(
            OP.format(factor=factor, helper="travelling_helper")
        )
        for name in ("travelling_op", "travelling_helper"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        shipping._sources.digest.cache_clear()
        made = Sweep(base, seeds=4)
        found.append(bits(made.run(executor=cluster)))
        assert found[-1] == bits(made.run())
    assert found[0] != found[1]


def test_a_killed_worker_loses_nothing(cluster: str, tmp_path: Path) -> None:
    made = Sweep(
        {"folder": str(tmp_path)}, {"a": list(range(20))}, seeds=2, measure=own_trials.struck
    )
    struck: list[int] = []

    def strike(now: Progress) -> None:
        files = list(tmp_path.glob("*-*"))
        if now.done > 3 and not struck and files:
            newest = max(files, key=lambda file: file.stat().st_mtime_ns)
            struck.append(int(newest.read_text()))
            os.kill(struck[0], signal.SIGKILL)

    runs = made.run(tmp_path / "s.sqlite", executor=cluster, progress=strike)
    assert struck and runs.attrs["trained"] == 40
    assert bits(runs) == bits(made.run())


def test_a_killer_is_found_and_the_rest_is_done(cluster: str) -> None:
    made = Sweep({"exits": [2], "crashes": []}, seeds=4, measure=own_trials.deadly, name="deadly")
    with pytest.raises(FailedTrials) as ended:
        made.run(executor=cluster)
    failures = ended.value.failures
    assert [failure.seed for failure in failures] == [2]
    for failure in failures:
        assert failure.message.startswith("killed its worker 3 times")
    harmless = Sweep({"exits": [], "crashes": []}, seeds=4, measure=own_trials.deadly)
    expected = harmless.run().v.values
    good = [0, 1, 3]
    assert np.array_equal(ended.value.runs.v.values[good], expected[good])


# --- what is refused ------------------------------------------------------------------------------


def test_other_versions_are_refused_before_anything_runs(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shipping.metadata.version
    monkeypatch.setattr(
        shipping.metadata, "version", lambda name: "0.1" if name == "numba" else real(name)
    )
    store = tmp_path / "s.sqlite"
    with pytest.raises(InputError) as refused:
        trainings().run(store, executor=cluster)
    problems = refused.value.problems
    assert problems and all("worker tcp://127.0.0.1:" in line for line in problems)
    assert all(f"numba {real('numba')}: must be 0.1, as here" in line for line in problems)
    monkeypatch.undo()
    assert trainings().missing(store) == 20


def test_what_a_module_needs_must_be_there(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "site-packages"
    away.mkdir()
    (away / "only_here.py").write_text("VALUE = 1\n")
    (tmp_path / "needing.py").write_text(
        "import only_here\ndef f(settings, seed):\n    return {'v': only_here.VALUE}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(away)
    needing = importlib.import_module("needing")
    made = Sweep({}, seeds=2, measure=needing.f)
    assert made.run().v.values.tolist() == [1, 1]
    with pytest.raises(InputError, match=r"needing: cannot be imported there: .*only_here"):
        made.run(executor=cluster)


def test_wrong_addresses_are_told(tmp_path: Path, capsys: Any) -> None:
    config = tmp_path / "c.toml"
    config.write_text('seeds = 2\n[data]\nname = "moons"\n[training]\nsteps = 1\n')
    with socket.create_server(("127.0.0.1", 0)) as silent:  # no Dask scheduler
        for port in (1, silent.getsockname()[1]):
            assert command("sweep", config, "--executor", f"dask://127.0.0.1:{port}") == 2
            said = capsys.readouterr().err
            assert f"executor: 'dask://127.0.0.1:{port}': no Dask scheduler answers" in said
            assert "Traceback" not in said


# --- Ctrl-C ---------------------------------------------------------------------------------------

LONG = """
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
base = sweep_cases.BASE | {"network": {"depth": 10, "width": 64}}
axes = {"training.steps": [20, 2_000_000]}
base = base | {"training": {"batch_size": 16}}
made = sweep_cases.Sweep(base, axes, seeds=2)
made.run(sys.argv[1], executor=sys.argv[2], progress=sweep_cases.tell)
"""


def test_a_second_interrupt_stops_the_workers(cluster: str, tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    base = BASE | {"network": {"depth": 10, "width": 64}, "training": {"batch_size": 16}}
    short = Sweep(base, {"training.steps": [20]}, seeds=2)
    with child(LONG, store, cluster) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "2\n":  # the short ones; the long ones run for minutes
                break
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in err, err
    assert short.missing(store) == 0
    trainings(seeds=1).run(executor=cluster)  # they are free again
