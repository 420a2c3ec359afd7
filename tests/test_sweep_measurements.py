"""Measurements from files, from `simdl sweep`: settings, axes, what is kept, time and memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_cases import bits, measurements, simple
from test_sweep_command import command

from simdl.commands.toml_text import toml_text
from simdl.errors import InputError
from simdl.sweep import FailedTrials, Sweep, estimates, pilots

FILE: dict[str, Any] = {
    "name": "measured",
    "seeds": 2,
    "measurement": {"function": "sweep_cases:simple", "b": 2.0},
    "axes": {"a": [1, 2, 3]},
}


def write(folder: Path, **changes: Any) -> Path:
    table = {key: value for key, value in (FILE | changes).items() if value is not None}
    (folder / "m.toml").write_text(toml_text(table), encoding="utf-8")
    return folder / "m.toml"


def test_a_file_says_what_python_says(tmp_path: Path) -> None:
    made = measurements()
    for axes in ({"a": [1, 2, 3]}, {"measurement.a": [1, 2, 3]}):
        read = Sweep.from_toml(write(tmp_path, axes=axes))
        assert read.trials == made.trials and read.measure is simple
        assert bits(read.run()) == bits(made.run())


def test_record_chooses(tmp_path: Path) -> None:
    runs = Sweep.from_toml(write(tmp_path, record=["n", "plain"])).run()
    assert set(runs.data_vars) == {"n", "plain"} and "x" not in runs.coords
    whole = measurements()
    assert not {t.identity for t in whole.trials} & {
        t.identity for t in measurements(record=["n"]).trials
    }
    assert measurements(record=["metrics"]).trials == whole.trials
    with pytest.raises(FailedTrials, match=r"record: 'plan': .*did you mean 'plain'"):
        measurements(record=["plan"]).run()


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no table": ({"measurement": 3}, ["measurement: 3: must be a table"]),
    "no function": ({"measurement": {"b": 1}}, ["measurement.function: missing"]),
    "no text": ({"measurement": {"function": 3}}, ["measurement.function: 3"]),
    "no module": (
        {"measurement": {"function": "sweep_casez:simple"}},
        ["measurement.function: 'sweep_casez:simple'", "cannot be imported"],
    ),
    "no such function": (
        {"measurement": {"function": "sweep_cases:simpel"}, "sede": 1},
        ["measurement.function: 'sweep_cases:simpel'", "has no 'simpel'", "sede: unknown key"],
    ),
    "a section of a training": (
        {"optimizer": {"name": "SGD"}},
        ["optimizer: belongs to a training", "[measurement]"],
    ),
    "memory": ({"memory": "3"}, ["memory: '3'", "bytes"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused(case: str, tmp_path: Path) -> None:
    changes, parts = WRONG[case]
    with pytest.raises(InputError) as caught:
        Sweep.from_toml(write(tmp_path, **changes))
    assert not [part for part in parts if part not in str(caught.value)], caught.value
    assert len(caught.value.problems) == len([p for p in parts if ": " in p])


def test_the_module_may_lie_beside_the_file(tmp_path: Path) -> None:
    """And a module that it imports beside it."""
    (tmp_path / "beside_that.py").write_text("MORE = 1\n", encoding="utf-8")
    (tmp_path / "beside_it.py").write_text(
        "from beside_that import MORE\n\n"
        "def measure(settings, seed):\n    return {'v': settings['a'] + seed + MORE}\n",
        encoding="utf-8",
    )
    path = write(tmp_path, measurement={"function": "beside_it:measure"})
    program = "import sys; sys.path.remove(''); from simdl import cli; cli.main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, "sweep", str(path), "--jobs", "1"],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0 and "6 trials; recorded: v" in done.stdout, done.stderr


# --- forecasts ------------------------------------------------------------------------------------

NUMBERS = 1_000_000


def hungry(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Takes 8 MB a unit of `a`, leaves 80 kB of it."""
    drawn = np.random.default_rng(seed).normal(size=settings["a"] * NUMBERS)
    return {"v": drawn[:10_000].copy()}


def hungry_sweep(**changes: Any) -> Sweep:
    return Sweep({}, {"a": [1, 2, 4]}, seeds=50, measure=hungry, **changes)


def test_a_pilot_sees_what_a_measurement_takes() -> None:
    known = estimates.memory(hungry_sweep(), {}, 2)
    found = hungry_sweep().forecast(jobs=2)
    assert found.tried and found.timed == 3 and found.seconds is not None and found.seconds > 0
    taken = 2 * 4 * 8 * NUMBERS + 2 * 80_000 * 150  # two jobs; what is kept counts twice
    assert taken / 1.5 < found.memory - known < 1.5 * taken
    assert not hungry_sweep().forecast(jobs=1, store=None).memory > found.memory


def test_a_declared_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = hungry_sweep(memory=4e9)
    assert declared.trials == hungry_sweep().trials  # a forecast changes no result
    monkeypatch.setattr(estimates, "machine_memory", lambda: 6e9)
    assert not declared.forecast(jobs=1).tried
    with pytest.raises(InputError, match=r"memory: 8\.4. GB estimated for 2 jobs"):
        declared.run(jobs=2)


def test_the_command_says_where_the_figure_is_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("sweep", write(tmp_path), "--dry-run", "--jobs", 1) == 0
    out = capsys.readouterr().out
    assert re.search(r"memory +[\d.]+ GB of [\d.]+ GB, by the pilot", out), out
    assert re.search(r"time +.* with 1 jobs, by a pilot of 3 cells", out), out
    assert [p.name for p in tmp_path.iterdir()] == ["m.toml"]
    assert command("sweep", write(tmp_path, memory=1e15), "--dry-run", "--jobs", 1) == 2
    assert "memory: 1,000,000.40 GB estimated for 1 jobs" in capsys.readouterr().err


def test_a_pilot_that_fails_or_has_no_patience_tells_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pilots, "PATIENCE", 0.0)
    assert list(pilots.measure(measurements(), [2, 1, 0]).seconds) == [2]
    found = measurements(record=["gone"]).forecast()
    assert found.seconds is None and found.timed == 0
