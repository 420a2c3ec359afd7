"""Running a scenario: train what is missing, judge the claims, draw the figures."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from simdl._sources import digest
from simdl.errors import InputError, StorageError
from simdl.plot import style
from simdl.scenario import pilots, texts
from simdl.scenario.catalogue import find, is_own, place, told
from simdl.scenario.claims import contrary, record
from simdl.scenario.corrections import corrections
from simdl.scenario.settings import Settings
from simdl.sweep import Progress

FIGURES = Path("figures")
Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Request:
    """What a user asks of a scenario.

    Attributes
    ----------
    mode : "default", "quick" or "full"
    given : settings that differ from the mode's, as ``--set``, ``--seed`` and ``--seeds`` give them
    out : folder for figures and verdicts
    jobs : threads; -1 for one a core
    fresh : train again what is stored
    pilot : run on the seeds of pilots, and keep each claim's power
    """

    mode: str = "default"
    given: Mapping[str, Any] = field(default_factory=dict)
    out: Path = FIGURES
    jobs: int = -1
    fresh: bool = False
    pilot: bool = False


class Run:
    """One scenario under one request.

    Raises
    ------
    InputError
        If the scenario or a setting is unknown.
    """

    def __init__(self, name: str, request: Request) -> None:
        self.asked = name
        self.module: ModuleType = find(name)
        self.name = self.module.__name__.rpartition(".")[2]
        self.request = request
        given = dict(request.given)
        if request.pilot and given.setdefault("seed", pilots.SEED) != pilots.SEED:
            raise InputError("--seed and --pilot: give one of them: pilots have seeds of their own")
        self.settings: Settings = self.module.Settings.chosen(request.mode, given)

    @property
    def quick(self) -> bool:
        return self.request.mode == "quick"

    @cached_property
    def folder(self) -> Path:
        """Where the results go: a folder of its own for settings that are not a mode's."""
        if not self.request.given:
            return self._out
        key = json.dumps([self.request.mode, self.settings.model_dump(mode="json")])
        tag = hashlib.sha256(key.encode()).hexdigest()[:10]
        return self._out / "custom" / f"{self.name}-{tag}"

    @property
    def _out(self) -> Path:
        return self.request.out / "pilots" if self.request.pilot else self.request.out

    @property
    def _cache(self) -> Path:
        kept = self.folder / ".cache"
        return kept / self.request.mode if self.request.mode != "default" else kept

    @property
    def _stored(self) -> Path:
        """Runs with settings of their own share a store: what they have in common runs once."""
        return self._out / "custom" / ".cache" if self.request.given else self._cache

    @property
    def store(self) -> Path:
        """The store of this scenario's trials."""
        return self._stored / f"{self.name}.sqlite"

    @property
    def stamp(self) -> Path:
        """The file that says from what the figures were made."""
        return self._cache / f"{self.name}.stamp"

    @property
    def command(self) -> str:
        """The command that gives these verdicts again."""
        name = self.asked if is_own(self.module) else self.name
        words = ["simdl", "run", name]
        words += [] if self.request.mode == "default" else [f"--{self.request.mode}"]
        words += ["--pilot"] if self.request.pilot else []
        for key, value in self.request.given.items():
            setting = value if isinstance(value, str) else json.dumps(value)
            plain = key in ("seed", "seeds")
            words += [f"--{key}", setting] if plain else ["--set", f"{key}={setting}"]
        return shlex.join(words)

    def trials(self) -> dict[str, tuple[int, int]]:
        """For each sweep: trials in all, and those that the store does not have."""
        store = None if self.request.fresh else self.store
        return {
            key: (len(sweep.trials), sweep.missing(store)) for key, sweep in self._sweeps.items()
        }

    @cached_property
    def _sweeps(self) -> dict[str, Any]:
        return dict(self._asked("sweeps", self.settings))

    def _asked(self, part: str, *given: Any) -> Any:
        """Call a part of the scenario; what a user's own file gets wrong is told by its line."""
        try:
            return getattr(self.module, part)(*given)
        except InputError:
            raise
        except Exception as error:
            if not is_own(self.module):
                raise
            raise InputError(f"{place(error, self.module)}: in {part}(): {told(error)}") from error

    def execute(
        self, say: Callable[[str], None] = lambda line: None, watch: Watch | None = None
    ) -> list[dict[str, Any]]:
        """Train, judge, draw; return the verdicts' records.

        Parameters
        ----------
        say : receives what is done, a line at a time
        watch : receives each sweep's progress
        """
        start = time.perf_counter()
        results = self.results(say, watch)
        trained = sum(int(found.attrs["trained"]) for found in results.values())
        seconds = sum(float(found.attrs["seconds"]) for found in results.values())
        records = self._records(results, round(seconds, 2))
        wanted = self._wanted(records)
        if trained or not self._current(wanted):
            say(f"{self.name}: drawing")
            self._draw(results, records, wanted)
        say(f"{self.name}: done after {time.perf_counter() - start:.1f} s")
        return records

    def _records(self, results: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        judged = self._asked("claims", results, self.settings)
        known = pilots.recorded(self.module, self.settings)
        if self.request.pilot:
            known = {claim.id: claim.judgement.power for claim in judged}
        return [
            record(
                self.name, claim, seconds=seconds, command=self.command, pilot=known.get(claim.id)
            )
            for claim in judged
        ]

    def results(
        self, say: Callable[[str], None] = lambda line: None, watch: Watch | None = None
    ) -> dict[str, Any]:
        """Train what the store does not have; return a dataset a sweep."""
        self._prepare()
        results = {}
        for key, sweep in self._sweeps.items():
            found = sweep.run(store=self.store, jobs=self.request.jobs, progress=watch)
            results[key] = found
            say(f"{self.name}: {key}: {found.attrs['trials']} trials, {found.attrs['trained']} new")
        return results

    def _prepare(self) -> None:
        try:
            for folder in (self._cache, self._stored):
                folder.mkdir(parents=True, exist_ok=True)
            if self.request.fresh:
                for file in self._stored.glob(f"{self.store.name}*"):  # its journal too
                    file.unlink()
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"--out {self.request.out}: cannot be written: {reason}") from None

    def _wanted(self, records: list[dict[str, Any]]) -> str:
        """A digest of all that the figures depend on, beside the files themselves."""
        parts = [
            digest(self.module.__name__),
            digest(style.__name__),
            digest("simdl.plot.panels"),
            self.settings.model_dump_json(),
            json.dumps([{k: v for k, v in r.items() if k != "seconds"} for r in records]),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _current(self, wanted: str) -> bool:
        """Whether the files on disk are those that a run like this one wrote."""
        try:
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
            files = {name: _file_digest(self.folder / name) for name in stamp["files"]}
            return bool(stamp["wanted"] == wanted and stamp["files"] == files)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _draw(self, results: Any, records: list[dict[str, Any]], wanted: str) -> None:
        written: list[Path] = []
        with style.style():
            drawn = self._asked("figures", results, self.settings)
            for part, figure in drawn.items():
                stem = self.name if len(drawn) == 1 else f"{self.name}-{part}"
                title = texts.text(f"{self.name}.title") if _has_texts(self.name) else self.name
                written += style.save(figure, self.folder / stem, title)
                style.close(figure)
        verdicts = self.folder / f"{self.name}.json"
        write_json(verdicts, records)
        if self.request.pilot:
            kept = self.folder / pilots.path(self.module).name
            kept.write_text(pilots.table(self.settings, records), encoding="utf-8")
        files = {path.name: _file_digest(path) for path in [*written, verdicts]}
        write_json(self.stamp, {"wanted": wanted, "files": files})


def _has_texts(scenario: str) -> bool:
    try:
        texts.text(f"{scenario}.title")
    except LookupError:
        return False
    return True


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON in one piece.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def assemble(out: Path, scenarios: Sequence[str]) -> list[dict[str, Any]]:
    """Write verdicts.json from the scenarios' own files, textbook.json too; return the records."""
    records: list[dict[str, Any]] = []
    for name in scenarios:
        path = out / f"{name}.json"
        if path.is_file():
            records += json.loads(path.read_text(encoding="utf-8"))
    write_json(out / "verdicts.json", records)
    write_json(out / "textbook.json", corrections(records))
    return records


def summary(records: Sequence[Mapping[str, Any]], quick: bool) -> list[str]:
    """Lines that show every verdict beside what is expected, and how many are as expected."""
    width = max((len(r["id"]) for r in records), default=5)
    head = (
        f"   {'claim':<{width}} {'expected':<10} {'verdict':<13} {'power':<6} measured [interval]"
    )
    lines = [head]
    for r in records:
        as_expected = r["verdict"] == r["expected"]
        mark = "ok" if as_expected else "!!" if contrary(r, quick) else "??"
        low, high = (_short(v) for v in r["interval"])
        told = f"{_short(r['measured'])} [{low}, {high}]"
        against = "" if r["reference"] is None else f", reference {_short(r['reference'])}"
        if r["tolerance"]:
            against += f", tolerance {_short(r['tolerance'])}"
        power = "-" if (value := pilots.power(r)) is None else f"{value:.3g}"
        verdict = f"{r['id']:<{width}} {r['expected']:<10} {r['verdict']:<13}"
        lines.append(f"{mark} {verdict} {power:<6} {told}{against}")
    count = sum(r["verdict"] == r["expected"] for r in records)
    lines.append(f"{count} of {len(records)} verdicts are as expected")
    if quick and any(r["verdict"] == "inconclusive" for r in records):
        lines.append("inconclusive: few seeds are quick; without --quick there are enough")
    return lines


def _short(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"
