"""`simdl sweep`: from a file to a table; resume, shards, forecasts, failures, and exit codes."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sweep_cases import BASE, bits

from simdl import cli
from simdl.commands.toml_text import toml_text
from simdl.configuration import Configuration
from simdl.errors import InputError
from simdl.sweep import FailedTrials, Sweep, estimates, shards

SWEEP = BASE | {
    "name": "mine",
    "seeds": 3,
    "record": ["metrics", "gradient_rms"],
    "axes": {"network.depth": [1, 2], "optimizer.lr": [1e-3, 1e-1]},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path / "sweep.toml")


def write(path: Path, **changes: Any) -> Path:
    path.write_text(toml_text(SWEEP | changes), encoding="utf-8")
    return path


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    return int(end.value.code or 0)


def test_a_file_says_what_python_says(config: Path) -> None:
    made = Sweep(BASE, SWEEP["axes"], 3, SWEEP["record"])
    read = Sweep.from_toml(config)
    assert read.name == "mine" and read.trials == made.trials
    text = config.read_text(encoding="utf-8")
    bare = text.replace('"network.depth"', "network.depth").replace(
        '"optimizer.lr"', "optimizer.lr"
    )
    assert bare != text  # keys without quotes, which TOML reads as tables
    config.write_text(bare.replace('name = "mine"', ""), encoding="utf-8")
    read = Sweep.from_toml(config)
    assert read.name == "sweep" and read.trials == made.trials


def test_from_file_to_table_and_on(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", config, "--jobs", 1) == 0
    said = capsys.readouterr()
    store = config.with_suffix(".sqlite")
    assert f"4 cells x 3 seeds = 12 trials, 1 jobs; store: {store}" in said.err
    assert "12 of 12 trials" in said.err and "best validation_accuracy" in said.err
    assert "12 trials run now" in said.err
    header, *rows = said.out.splitlines()
    assert header.split() == [
        "network.depth", "optimizer.lr", "validation_accuracy", "std", "seeds", "diverged",
    ]  # fmt: skip
    runs = Sweep.from_toml(config).run(store)
    means = runs.validation_accuracy.mean("seed").values
    assert len(rows) == 4 and float(rows[0].split()[2]) == pytest.approx(means.max(), rel=1e-3)
    assert [float(row.split()[2]) for row in rows] == sorted(means.round(4).ravel())[::-1]
    assert command("sweep", config) == 0
    assert "0 trials run now" in capsys.readouterr().err
    write(config, seeds=4)  # more seeds: the others stay
    assert command("sweep", config) == 0
    said = capsys.readouterr()
    assert "seeds: [0,1,2] became [0,1,2,3]" in said.err and "4 trials run now" in said.err
    assert command("sweep", config, "--fresh") == 0
    assert "16 trials run now" in capsys.readouterr().err


def test_shards_make_the_whole(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = config.parent
    for i in (1, 2, 3):
        assert command("sweep", config, "--shard", f"{i}/3") == 0
        assert "4 trials run now" in capsys.readouterr().err
    parts = [folder / f"sweep-{i}-of-3.sqlite" for i in (1, 2, 3)]
    assert command("results", folder / "all.sqlite", "--merge", *parts) == 0
    said = capsys.readouterr()
    assert said.err.count("4 trials came from") == 3 and "12 trials: 12 completed" in said.out
    runs = Sweep.from_toml(config).run(folder / "all.sqlite")
    assert runs.attrs["trained"] == 0 and bits(runs) == bits(Sweep.from_toml(config).run())


def test_shard_on_a_network_disk_runs_on_a_local_copy(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = config.parent / "far" / "s.sqlite"
    seen = []
    for missing in (12, 0):
        with shards.local(far, lambda path: "nfs4") as (place, refresh):
            seen.append(place)
            assert place != far and Sweep.from_toml(config).missing(place) == missing
            Sweep.from_toml(config).run(place)
            monkeypatch.setattr(shards, "_EVERY", 0.0)
            refresh()
            assert Sweep.from_toml(config).missing(far) == 0
    assert [path.name for path in far.parent.iterdir()] == ["s.sqlite"]
    assert not any(path.exists() for path in seen)
    with pytest.raises(KeyboardInterrupt), shards.local(far, lambda path: "nfs4") as (place, _):
        Sweep.from_toml(write(config, seeds=4)).run(place)
        raise KeyboardInterrupt
    assert Sweep.from_toml(config).missing(far) == 0  # copied, however it ended


def test_dry_run_keeps_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", config, "--dry-run", "--jobs", 2) == 0
    out = capsys.readouterr().out
    assert "4 cells x 3 seeds = 12 trials" in out and "missing  12" in out
    assert re.search(r"time +[\d.]+ m?s with 2 jobs, by a pilot of 4 cells", out), out
    assert re.search(r"memory +[\d.]+ GB of [\d.]+ GB", out), out
    assert list(config.parent.iterdir()) == [config]
    assert command("sweep", config, "--jobs", 1) == 0
    capsys.readouterr()
    assert command("sweep", config, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "missing  0" in out and "time" not in out


def test_too_large_for_this_machine(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(config, network={"width": 1_000_000}, axes={"network.depth": [2, 3]})
    for dry in ((), ("--dry-run",)):
        assert command("sweep", config, "--jobs", 2, *dry) == 2
        said = capsys.readouterr().err
        assert re.search(r"memory: [\d,]+\.\d\d GB estimated for 2 jobs: must be at most", said), (
            said
        )
    assert not Sweep.from_toml(config).missing(config.with_suffix(".sqlite")) < 6


def test_sizes_are_those_of_the_arrays(tmp_path: Path) -> None:
    made = Sweep(BASE | {"network": {"depth": 2, "width": 50}}, seeds=4)
    size = estimates.sizes(made, [0])[0]
    data = made.configurations[0].data(0)
    training = made.configurations[0].build(data)
    (result,) = made.configurations[0].train([0])
    parameters = result.params.flat.nbytes
    values = sum(x.nbytes + t.nbytes for x, t in (data.train, data.validation, data.test))
    assert parameters * 4 + values <= size.seed <= parameters * 4 + 3 * values + 1000
    batch, evaluation = (training.net.program.layout(rows).size * 4 for rows in (16, 128))
    arrays = 2 * batch + evaluation + parameters  # gradients go back in training only
    assert arrays <= size.fixed <= arrays + 128 * 10 * 4 + 30_000
    limit = tmp_path / "limit"
    limit.write_text("12345\n", encoding="ascii")
    assert estimates.machine_memory([str(limit)]) == 12345
    limit.write_text("max\n", encoding="ascii")
    assert estimates.machine_memory([str(limit)]) == estimates.machine_memory([]) > 1e8
    with pytest.raises(InputError, match=r"memory: 2\.00 GB .*1 jobs: must be at most 1\.00 GB"):
        estimates.refuse_too_large(2e9, 1e9, 1)


def test_chunks_are_bounded_by_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "CHUNK", 1.0)
    lengths = []
    before = Sweep.run_chunk

    def seen(self: Sweep, chunk: Any, control: Any) -> Any:
        lengths.append(len(chunk.seeds))
        return before(self, chunk, control)

    monkeypatch.setattr(Sweep, "run_chunk", seen)
    Sweep(BASE, seeds=5).run(jobs=1)
    assert lengths == [1] * 5


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    train = Configuration.trained

    def fails(self: Configuration, seeds: Any, control: Any = None) -> Any:
        if self.network.depth == 1:
            raise MemoryError("planted")
        return train(self, seeds, control)

    monkeypatch.setattr(Configuration, "trained", fails)


def test_failed_trials_are_exit_4(
    config: Path, failing: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("sweep", config, "--fail-fast", "--jobs", 1) == 4
    said = capsys.readouterr()
    assert "of 12 trials failed" in said.err and "MemoryError: planted" in said.err
    assert Sweep.from_toml(config).missing(config.with_suffix(".sqlite")) > 6
    assert command("sweep", config, "--jobs", 1) == 4
    said = capsys.readouterr()
    assert "6 of 12 trials failed" in said.err and len(said.out.splitlines()) == 5
    assert command("results", config.with_suffix(".sqlite")) == 0
    said = capsys.readouterr()
    assert "12 trials: 6 completed, 6 failed" in said.out and "MemoryError: planted" in said.out


def test_fail_fast_from_python(failing: None) -> None:
    with pytest.raises(FailedTrials) as caught:
        Sweep(BASE, SWEEP["axes"], 3).run(jobs=1, keep_going=False)
    assert len(caught.value.failures) < 6 and caught.value.runs.attrs["trained"] < 12


def test_an_unwritable_store_is_exit_5(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", config, "--store", config / "below.sqlite") == 5
    assert "cannot be opened" in capsys.readouterr().err
    (config.parent / "text").write_text("no store", encoding="utf-8")
    assert command("sweep", config, "--store", config.parent / "text") == 5
    assert "is no store of simdl" in capsys.readouterr().err


WRONG: dict[str, tuple[str, list[str]]] = {
    "seed": ("seed = 3", ["seed: belongs to simdl train", "seeds"]),
    "name": ("name = 3", ["name: 3: must be a text"]),
    "axes": ("axes = 3", ["axes: 3: must be a table"]),
    "no TOML": ("axes = ", ["is no TOML"]),
    "key": ("sedes = 3", ["sedes: unknown key (did you mean 'seeds'?)"]),
    "two at once": (
        "axes = {network.dept = [1]}\nseeds = 0",
        ["network.dept: unknown key (did you mean 'depth'?)", "seeds: 0: must be from 1"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_exit_2(
    case: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, parts = WRONG[case]
    config.write_text(text, encoding="utf-8")
    assert command("sweep", config) == 2
    said = capsys.readouterr().err
    assert not [part for part in parts if part not in said], said
    assert "Traceback" not in said and list(config.parent.iterdir()) == [config]
    assert command("sweep", config.parent / "gone.toml") == 2
    assert "no such file" in capsys.readouterr().err


def test_interrupt_is_130_and_a_terminal_has_a_bar(config: Path) -> None:
    write(config, training={"batch_size": 8}, axes={"training.steps": [2, 9_000_000]}, seeds=2)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "simdl", "sweep", str(config), "--jobs", "1"], stderr=follower,
        stdout=subprocess.PIPE, env=os.environ | {"COLUMNS": "200", "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    told, sent = "", 0
    try:
        while part := os.read(leader, 4096):
            told += part.decode(errors="replace")
            if (sent == 0 and "1/4" in told) or (sent == 1 and "again stops at once" in told):
                process.send_signal(signal.SIGINT)
                sent += 1
    except OSError:  # the other end is closed
        pass
    process.communicate(timeout=60)
    os.close(leader)
    assert process.returncode == 130, told
    assert sent == 2 and "the same command continues" in told and "Traceback" not in told
