"""The store: one SQLite file that keeps what trials left, and survives being killed."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simdl.errors import StorageError
from simdl.sweep.file_systems import refuse_network
from simdl.sweep.forms import (
    Array,
    Numbers,
    dtype_of,
    key_of,
    labels_of,
    packed,
    rows_of,
    shape_of,
    unpacked,
)
from simdl.sweep.outcomes import FAILED, Outcome, Stored
from simdl.sweep.schema import APPLICATION, SCHEMA, created, journal, lacking

_AT_ONCE = 500  # identities a query
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_CLOSED = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


class Store:
    """Results by identity, in one file.

    Parameters
    ----------
    path : the file; it is made, with its folders, if it is not there
    timeout : seconds to wait where another process writes

    Raises
    ------
    StorageError
        From every method: what is wrong with the file, and the way out. A file that is not a
        store is never touched.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float = 60.0) -> None:
        self.path = Path(path)
        self._timeout = timeout
        self._lock = threading.Lock()
        refuse_network(self.path)
        self._refuse_foreign()
        with self._told():
            # isolation_level=None: transactions are opened and closed here, not by the module
            self._connection = sqlite3.connect(
                self.path, timeout=timeout, isolation_level=None, check_same_thread=False
            )
        try:
            self._open()
        except BaseException:
            self._connection.close()
            raise

    def _refuse_foreign(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise StorageError(f"{self.path}: is a folder: name a file")
            if not self.path.exists():
                return
            with self.path.open("rb") as stream:
                head = stream.read(16)
        except OSError as error:
            raise StorageError(
                f"{self.path}: cannot be opened: {error.strerror or error}: name another place"
            ) from None
        if head not in (b"", b"SQLite format 3\0"):
            raise self._foreign()

    def _foreign(self) -> StorageError:
        return StorageError(
            f"{self.path}: is no store of simdl (or a damaged one) and is left as it is:"
            " name another file"
        )

    def _open(self) -> None:
        with self._told():
            application, version, tables = self._state()
            if application == 0 and version == 0 and not tables:
                self._connection.execute(f"PRAGMA journal_mode = {journal(_version())}")
                self._create()
                application, version, _ = self._state()
            if application != APPLICATION:
                raise self._foreign()
            if 1 <= version < SCHEMA:
                self._migrate()
                version = SCHEMA
            if version != SCHEMA:
                newer = version > SCHEMA
                raise StorageError(
                    f"{self.path}: has schema {version}, this simdl reads schema {SCHEMA}: "
                    + ("use a newer simdl, or name another file" if newer else "name another file")
                )
            # a store made elsewhere may be in the other mode
            mode = journal(_version())
            if self._value("PRAGMA journal_mode").upper() != mode:
                self._connection.execute(f"PRAGMA journal_mode = {mode}")
            self._connection.execute("PRAGMA synchronous = FULL")

    def _state(self) -> tuple[int, int, int]:
        return (
            self._value("PRAGMA application_id"),
            self._value("PRAGMA user_version"),
            self._value("SELECT count(*) FROM sqlite_master"),
        )

    def _value(self, query: str) -> Any:
        return self._connection.execute(query).fetchone()[0]

    def _create(self) -> None:
        with self._transaction():
            if self._value("SELECT count(*) FROM sqlite_master"):
                return  # another process was quicker
            for statement in created():
                self._connection.execute(statement)

    def _migrate(self) -> None:
        """Give an older store the tables that it lacks; its trials stay as they are."""
        with self._transaction():
            version = self._value("PRAGMA user_version")  # another process may have been quicker
            for statement in lacking(version):
                self._connection.execute(statement)

    # --- reading and writing ----------------------------------------------------------------------

    def results(self, identities: Iterable[str], lazy: bool = False) -> dict[str, Outcome]:
        """Return what is stored of these trials; failed ones count as not done.

        With `lazy`, variables that have dimensions are `Stored`.
        """
        found: dict[str, Outcome] = {}
        with self._lock, self._told():
            for part in _parts(list(identities)):
                found |= self._results(part, lazy)
        return found

    def done(self, identities: Iterable[str]) -> set[str]:
        """Return which of these trials are stored, failed ones left out; their arrays stay."""
        with self._lock, self._told():
            return {key for failed, key in self._failed(list(identities)) if not failed}

    def decoded(self, identity: str, name: str, dtype: str, shape: str, data: Any) -> Any:
        """Return an array from its row; without its data, what stands for it."""
        try:
            kind, sizes = dtype_of(dtype), shape_of(shape)
            if data is None:
                return Stored(self.path, identity, name, kind, sizes)
            return np.frombuffer(data, kind).reshape(sizes)
        except (TypeError, ValueError):
            raise self._damaged(f"array {name} of trial {identity[:12]}") from None

    def _results(self, identities: Sequence[str], lazy: bool) -> dict[str, Outcome]:
        later = "CASE WHEN role = 'variable' AND shape != '[]' THEN NULL ELSE a.data END"
        data = later if lazy else "a.data"
        # one statement sees one state of the file, so that a trial never comes without its arrays
        rows = self._connection.execute(
            "SELECT t.identity, t.seed, t.status, t.seconds, f.text, t.numbers, a.role, a.name,"
            f" a.dtype, a.shape, a.dims, a.attrs, {data} FROM trials t"
            " LEFT JOIN forms f ON f.key = t.form LEFT JOIN arrays a USING (identity)"
            f" WHERE t.identity IN ({_marks(identities)}) AND t.status != ? ORDER BY a.rowid",
            [*identities, FAILED],
        )
        found: dict[str, Outcome] = {}
        for identity, seed, status, seconds, form, numbers, role, *row in rows:
            outcome = found.get(identity)
            if outcome is None:
                try:
                    variables = unpacked(form, numbers)
                except (TypeError, ValueError):
                    raise self._damaged(f"numbers of trial {identity[:12]}") from None
                outcome = found[identity] = Outcome(seed, status, "", seconds, variables, {})
            if role is None:
                continue
            name, dtype, shape, dims, attrs, data = row
            values = self.decoded(identity, name, dtype, shape, data)
            try:
                made = Array(values, *labels_of(dims, attrs))
            except (TypeError, ValueError):
                raise self._damaged(f"array {name} of trial {identity[:12]}") from None
            kind = outcome.variables if role == "variable" else outcome.coordinates
            kind[name] = made  # type: ignore[index]
        for identity, outcome in found.items():
            if not isinstance(outcome.variables, Numbers) and None in outcome.variables.values():
                raise self._damaged(f"an array of trial {identity[:12]} is missing")
        return found

    def add(self, sweep: str, outcomes: Iterable[tuple[str, str, Outcome]]) -> None:
        """Write finished trials, all or none; those that are stored already stay as they are.

        Parameters
        ----------
        sweep : its name
        outcomes : identity, coordinates as JSON, outcome
        """
        now = now_utc()
        new: dict[str, tuple[str, Outcome]] = {}
        for identity, coordinates, outcome in outcomes:
            if identity not in new or new[identity][1].status == FAILED:
                new[identity] = coordinates, outcome
        with self._lock, self._told(), self._transaction():
            for failed, known in self._failed(list(new)):
                if failed:
                    self._connection.execute("DELETE FROM trials WHERE identity = ?", (known,))
                else:
                    del new[known]
            many = self._connection.executemany
            rows: list[tuple[Any, ...]] = []
            forms: dict[str, str] = {}
            for key, (where, o) in new.items():
                form, numbers = packed(o.variables)
                kind = forms[form] if form in forms else forms.setdefault(form, key_of(form))
                rows.append(
                    (
                        key, sweep, where, o.seed, o.status, o.message, o.seconds, now, kind,
                        numbers,
                    )
                )  # fmt: skip
            many("INSERT OR IGNORE INTO forms (text, key) VALUES (?, ?)", list(forms.items()))
            arrays = (
                row
                for key, (_, o) in new.items()
                for row in rows_of(key, o.variables, o.coordinates)
            )
            many("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            many("INSERT INTO arrays VALUES (?, ?, ?, ?, ?, ?, ?, ?)", arrays)

    def _failed(self, identities: Sequence[str]) -> list[tuple[int, str]]:
        """Return whether they failed, and which they are, of the trials that are stored."""
        found: list[tuple[int, str]] = []
        for part in _parts(identities):
            query = f"SELECT status = ?, identity FROM trials WHERE identity IN ({_marks(part)})"
            found += self._connection.execute(query, [FAILED, *part])
        return found

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to this thread, errors said as everywhere."""
        with self._lock, self._told():
            yield self._connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one transaction: all of it is written or none."""
        with self.reading() as connection, self._transaction():
            yield connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what went wrong --------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say SQLite's errors in our words."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._said(error) from None

    def _said(self, error: sqlite3.Error) -> StorageError:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(_BUSY):
            return StorageError(
                f"{self.path}: another process has held it for {self._timeout:g} s: wait until it"
                " is done, or name another file"
            )
        if name == "SQLITE_FULL":
            return StorageError(
                f"{self.path}: the disk is full; what was stored before is safe: make room and run"
                " again"
            )
        if name.startswith(_CLOSED):
            return StorageError(
                f"{self.path}: cannot be opened or written ({error}): check its permissions, or"
                " name another file"
            )
        if name.startswith(_DAMAGED):
            return self._damaged(str(error))
        return StorageError(
            f"{self.path}: cannot be read or written ({error}); what was stored before is safe:"
            " check the disk and run again"
        )

    def _damaged(self, what: str) -> StorageError:
        return StorageError(
            f"{self.path}: is damaged ({what}): move it away and run again, or restore a copy"
        )


def now_utc(timespec: str = "seconds") -> str:
    """Return the time as ISO text."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=timespec)


def _parts(identities: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(identities), _AT_ONCE):
        yield identities[start : start + _AT_ONCE]


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))


def _version() -> tuple[int, ...]:
    return sqlite3.sqlite_version_info
