"""Disks that fill up, refuse or break while a sweep runs: exit 5, and what was stored is intact."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_cases import bits, child, measurements

from simdl.errors import StorageError
from simdl.sweep import Progress
from simdl.sweep import store as module

BIG = 20_000  # bytes of a trial's array in `heavy`


def heavy() -> Any:
    """Six trials whose results need several pages each."""
    return measurements(base={"b": 2.0, "size": BIG // 8}, measure=fat, name="heavy")


def fat(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """An array that tells its trial."""
    import numpy as np

    return {"v": np.full(settings["size"], settings["a"] * 10.0 + seed)}


def intact(path: Path, told: int, made: Any) -> None:
    """Check that a store is whole and has at least the trials that were told of."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    total = len(made.trials)
    assert total - made.missing(path) >= told


LIMITED = """
import json, resource, shutil
import test_sweep_faults as t
from simdl.errors import StorageError
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
path = t.Path(sys.argv[1])
said = []
for limit in range(0, 250_000, 30_000):
    told = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        t.heavy().run(path, jobs=1, progress=lambda now: told.append(now.done))
        said.append("")
    except StorageError as error:
        said.append(str(error))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    t.intact(path, max(told, default=0), t.heavy())
    if limit % 60_000:
        path.unlink()  # anew, and every other time on what there is
print(json.dumps(said))
"""


def test_full_disk_at_any_size(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with child(LIMITED, path) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    said = json.loads(out)
    failed = [line for line in said if line]
    assert len(failed) >= 5 and said[-1] == ""
    for line in failed:
        assert str(path) in line and "was stored before is safe" in line and "\n" not in line
    assert bits(heavy().run(path)) == bits(heavy().run())


class Breaking:
    """A connection whose n-th write fails as a broken disk does."""

    def __init__(self, connection: sqlite3.Connection, left: list[int]) -> None:
        self._connection, self._left = connection, left

    def _count(self, statement: str) -> None:
        if statement.startswith(("SELECT", "PRAGMA journal_mode", "ROLLBACK")):
            return
        self._left[0] -= 1
        if self._left[0] == 0:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error

    def execute(self, statement: str, *given: Any) -> Any:
        self._count(statement)
        return self._connection.execute(statement, *given)

    def executemany(self, statement: str, *given: Any) -> Any:
        self._count(statement)
        return self._connection.executemany(statement, *given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_broken_disk_at_every_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = measurements(axes={"a": [1]})
    connect, reference = sqlite3.connect, bits(made.run())
    path, left = tmp_path / "s", [0]
    monkeypatch.setattr(module.sqlite3, "connect", lambda *a, **k: Breaking(connect(*a, **k), left))
    failures = 0
    while True:
        for file in tmp_path.glob("s*"):
            file.unlink()
        left[0] = failures + 1
        told: list[Progress] = []
        try:
            runs = made.run(path, jobs=1, progress=told.append)
        except StorageError as error:
            assert f"{path}: cannot be read or written (disk I/O error)" in str(error)
        else:
            left[0] = 0  # what is read later opens the store once more
            break
        failures += 1
        left[0] = 0
        done = max((now.done for now in told), default=0)
        assert 2 - made.missing(path) >= done
        assert bits(made.run(path)) == reference
    assert failures > 12 and bits(runs) == reference


def forked(act: Callable[[], str]) -> str:
    """Return what `act` says in a copy of this process that may write nothing of root's."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: the child uses none of them
        process = os.fork()
    if process == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            os.write(write, act().encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stream:
        said = stream.read()
    os.waitpid(process, 0)
    return said


@pytest.mark.parametrize("what", ["file", "folder", "new"])
def test_store_of_another_user(what: str) -> None:
    folder = Path(tempfile.mkdtemp())
    path = folder / "s.sqlite"
    try:
        if what != "new":
            measurements(seeds=1).run(path)
        path.exists() and path.chmod(0o444 if what == "file" else 0o666)
        folder.chmod(0o777 if what == "file" else 0o555)

        def act() -> str:
            try:
                measurements().run(path, jobs=1)
            except StorageError as error:
                return str(error)
            return "no error"

        said = forked(act)
        assert str(path) in said and "cannot be opened" in said, said
        folder.chmod(0o777)
        path.exists() and path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        intact(path, 0 if what == "new" else 3, measurements())
    finally:
        folder.chmod(0o777)
        shutil.rmtree(folder)
