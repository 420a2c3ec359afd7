"""The store: keeps every bit, refuses what is not its own, says what is wrong."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simdl.errors import StorageError
from simdl.sweep import store as module
from simdl.sweep.file_systems import file_system, refuse_network
from simdl.sweep.forms import Array
from simdl.sweep.outcomes import Outcome
from simdl.sweep.store import Store, journal


def outcome(seed: int = 0, size: int = 3, status: str = "completed") -> Outcome:
    values = np.full(size, np.nan, np.float32)
    values[0] = -np.inf
    return Outcome(seed, status, "", 0.5, {"v": Array(values, ("x",), {"units": "m"})}, {})


def filled(path: Path, count: int = 30) -> Path:
    with Store(path) as store:
        store.add("s", [(f"id{i}", "{}", outcome(i)) for i in range(count)])
    return path


def test_every_bit_comes_back(tmp_path: Path) -> None:
    odd = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000000, 1, 1 << 63], np.uint64)
    variables = {
        "bits": Array(odd.view(np.float64).reshape(2, 2), ("a", "b"), {"units": "m", "n": 3}),
        "number": Array(np.array(0.1, np.float32)),
        "whole": Array(np.array([2**63 - 1, -(2**63)]), ("c",)),
        "truth": Array(np.array(True)),
        "text": Array(np.array(["é", "层"]), ("c",)),
        "empty": Array(np.zeros((0, 3)), ("d", "e")),
        "complex": Array(np.array([1 - 2j]), ("f",)),
    }
    labels = {"b": Array(np.array(["x", "yy"]), ("b",))}
    given = Outcome(3, "diverged", "", 1.25, variables, labels)
    with Store(tmp_path / "a" / "b.sqlite") as store:
        store.add("name", [("id", '{"x":1}', given), ("bare", "{}", Outcome(1, "completed"))])
        assert store.results(["bare"])["bare"] == Outcome(1, "completed")
    with Store(tmp_path / "a" / "b.sqlite") as store:
        (found,) = store.results(["id", "other"]).values()
    assert (found.seed, found.status, found.seconds) == (3, "diverged", 1.25)
    for kind, expected in ((found.variables, variables), (found.coordinates, labels)):
        assert list(kind) == list(expected)
        for name, array in expected.items():
            assert kind[name].values.dtype == array.values.dtype
            assert kind[name].values.shape == array.values.shape
            assert kind[name].values.tobytes() == array.values.tobytes()
            assert (kind[name].dims, kind[name].attrs) == (array.dims, array.attrs)


def test_first_result_stays_and_failures_give_way(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        failed = Outcome(0, "failed", "why")
        store.add("s", [("id", "{}", failed)])
        assert store.results(["id"]) == {}
        store.add("s", [("id", "{}", outcome(0, 3))])
        store.add("s", [("id", "{}", outcome(0, 5)), ("id", "{}", failed)])
        assert store.results(["id"])["id"].variables["v"].values.size == 3


def test_what_is_missing_is_damage(tmp_path: Path) -> None:
    with Store(filled(tmp_path / "s", 2)) as store:
        with store.writing() as connection:
            connection.execute("DELETE FROM arrays WHERE identity = 'id1'")
        assert len(store.results(["id0"])) == 1
        with pytest.raises(StorageError, match="an array of trial id1 is missing"):
            store.results(["id0", "id1"])
        with store.writing() as connection:
            connection.execute("UPDATE trials SET numbers = x'00' WHERE identity = 'id0'")
        with pytest.raises(StorageError, match="numbers of trial id0"):
            store.results(["id0"])


def test_a_transaction_is_whole_or_not_at_all(tmp_path: Path) -> None:
    bad = Outcome(0, "completed", variables={"v": Array(np.zeros(1), ("x",), {"a": object()})})
    with Store(tmp_path / "s") as store:
        with pytest.raises(TypeError):
            store.add("s", [("good", "{}", outcome()), ("bad", "{}", bad)])
        assert store.results(["good", "bad"]) == {}
        store.add("s", [("good", "{}", outcome())])
        assert len(store.results(["good", "bad"])) == 1


def test_more_identities_than_a_query_takes(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.add("s", [(str(i), "{}", Outcome(i, "completed")) for i in range(1203)])
        assert len(store.results(map(str, range(1300)))) == 1203


# --- what is refused ------------------------------------------------------------------------------


def text_file(path: Path) -> None:
    path.write_text("a,b\n1,2\n", encoding="utf-8")


def foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def newer_schema(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def older_schema(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()


def cut_off(path: Path) -> None:
    whole = filled(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def overwritten(path: Path) -> None:
    whole = bytearray(filled(path).read_bytes())
    whole[4096:] = b"\xa5" * (len(whole) - 4096)
    path.write_bytes(whole)


REFUSED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "text": (text_file, ["is no store of simdl", "name another file"]),
    "foreign": (foreign_database, ["is no store of simdl", "left as it is"]),
    "newer": (newer_schema, ["schema 99", f"schema {module.SCHEMA}", "newer simdl"]),
    "older": (older_schema, ["schema 0", f"schema {module.SCHEMA}", "another file"]),
    "cut off": (cut_off, ["is damaged", "move it away"]),
    "overwritten": (overwritten, ["is damaged", "move it away"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sound_store_is_refused_and_left_alone(case: str, tmp_path: Path) -> None:
    make, parts = REFUSED[case]
    path = tmp_path / "file.sqlite"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StorageError) as caught, Store(path) as store:
        store.results([f"id{i}" for i in range(30)])
    said = str(caught.value)
    assert not [part for part in [str(path), *parts] if part not in said], said
    assert "Traceback" not in said and "\n" not in said
    assert path.read_bytes() == before


def test_folder_and_path_below_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a folder: name a file"):
        Store(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cannot be opened: .*name another place"):
        Store(tmp_path / "file" / "below" / "s.sqlite")


def test_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """Killed before the first commit, a store is an empty file."""
    (tmp_path / "s").touch()
    filled(tmp_path / "s")


def test_unwritable_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, connect = filled(tmp_path / "s"), sqlite3.connect
    monkeypatch.setattr(  # root may write anything: open it as a reader is let to
        module.sqlite3, "connect", lambda p, **k: connect(f"file:{p}?mode=ro", uri=True, **k)
    )
    with Store(path) as store:
        assert len(store.results(["id1"])) == 1
        with pytest.raises(StorageError, match=r"cannot be opened or written .*permissions"):
            store.add("s", [("new", "{}", outcome())])


def test_full_disk(tmp_path: Path) -> None:
    path = filled(tmp_path / "s")
    with Store(path) as store:
        store._connection.execute("PRAGMA max_page_count = 1")  # as many as there are: no more
        with pytest.raises(StorageError, match=r"the disk is full; .*is safe: make room"):
            store.add("s", [("new", "{}", outcome(size=100_000))])
        assert len(store.results(["id1", "new"])) == 1
    with Store(path) as store:  # there is room again
        store.add("s", [("new", "{}", outcome(size=100_000))])


def test_locked_store(tmp_path: Path) -> None:
    path = filled(tmp_path / "s")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match=r"another process has held it for 0\.05 s: wait"):
        Store(path, timeout=0.05)

    def release() -> None:
        time.sleep(0.3)
        other.execute("COMMIT")

    thread = threading.Thread(target=release)
    thread.start()
    with Store(path, timeout=20) as store:  # waits
        store.add("s", [("new", "{}", outcome())])
    thread.join()
    other.close()


def test_journal_by_version(tmp_path: Path) -> None:
    versions = {(3, 6, 23): "WAL", (3, 7, 0): "DELETE", (3, 51, 2): "DELETE", (3, 51, 3): "WAL"}
    assert {version: journal(version) for version in versions} == versions


@pytest.mark.parametrize("version", [(3, 45, 0), (3, 60, 0)])
def test_journal_is_set(
    version: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "s")  # perhaps in the other mode
    monkeypatch.setattr(module, "_version", lambda: version)
    with Store(path) as store:
        assert store._value("PRAGMA journal_mode").upper() == journal(version)
        assert store._value("PRAGMA synchronous") == 2  # FULL
        store.add("s", [("new", "{}", outcome())])
        assert len(store.results(["id1", "new"])) == 2


MOUNTS = r"""disk / ext4 rw 0 0
host:/srv /srv nfs4 rw 0 0
disk /srv/local ext4 rw 0 0
//host/a /with\040space cifs rw 0 0
me@host: /far fuse.sshfs rw 0 0
share /shared 9p rw 0 0
lustre /scratch lustre rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "refused"),
    [
        ("/a/b", "ext4", False),
        ("/srv/x/y", "nfs4", True),
        ("/srv/local/x", "ext4", False),
        ("/srvs/x", "ext4", False),
        ("/with space/x", "cifs", True),
        ("/far/x", "fuse.sshfs", True),
        ("/shared/x", "9p", True),
        ("/scratch/x", "lustre", True),
    ],
)
def test_network_file_systems(path: str, kind: str, refused: bool) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    if not refused:
        refuse_network(Path(path), MOUNTS)
        return
    with pytest.raises(StorageError, match=r"network file system .*local disk"):
        refuse_network(Path(path), MOUNTS)
