"""A sweep as a file describes it, as its store keeps it, and what differs between two states."""

from __future__ import annotations

import functools
import hashlib
import platform
import shlex
import sqlite3
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import simdl
from simdl import _sources, data
from simdl.configuration import KEYS, SECTIONS, Configuration
from simdl.errors import InputError, Problems, StorageError
from simdl.keys import unknown
from simdl.spec import resolved, search_beside
from simdl.sweep.grid import own_sources
from simdl.sweep.measures import ASKED_LATER, TRAINING, canonical

if TYPE_CHECKING:
    from simdl.sweep.run import Sweep

_OWN = (
    "name",
    "seeds",
    "axes",
    "record",
    "memory",
)  # keys of a sweep's file beside a configuration's
MEASUREMENT = "measurement"
_LISTED = 6  # changed modules in a message


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; modules and data that it names may lie beside it."""
    search_beside(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no TOML: {error}") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from None
    data = table.get("data")
    named = data.get("path") if isinstance(data, dict) else None
    if isinstance(named, str) and "\0" not in named:
        beside = path.parent / named
        if not Path(named).expanduser().is_absolute() and beside.is_file():
            table["data"]["path"] = str(beside)
    return table


def from_table(table: Mapping[str, Any], name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of a `Sweep`, and which keys of the table are wrong.

    Parameters
    ----------
    table : a configuration's, with `seeds`, `axes` and `record`
    name : what it is called unless it says so itself
    """
    problems = Problems()
    measured = MEASUREMENT in table
    known = [MEASUREMENT, *_OWN] if measured else [*KEYS, *_OWN]
    base = {key: value for key, value in table.items() if key not in _OWN}
    for key in [key for key in base if key not in known]:
        if key == "seed":
            problems.append("seed: belongs to simdl train: a sweep has seeds = 16, or a list")
        elif measured and key in KEYS:
            problems.append(f"{key}: belongs to a training: leave it or [{MEASUREMENT}] out")
        else:
            problems.append(unknown(key, SECTIONS, known))
        del base[key]
    given = {key: table[key] for key in ("seeds", "record", "memory") if key in table}
    axes = table.get("axes", {})
    if not isinstance(axes, Mapping):
        problems.append(f"axes: {axes!r}: must be a table of keys and lists of values")
        axes = {}
    given["axes"] = dict(_flat(axes))
    called = table.get("name", name)
    if not isinstance(called, str) or not called.strip():
        problems.append(f"name: {called!r}: must be a text")
        called = name
    if measured:
        settings = problems.tried(_measurement, base.get(MEASUREMENT))
        if settings is None:  # what it is called with says nothing then
            problems.report()
        given["measure"], base = settings
        given["axes"] = {_inner(name): values for name, values in given["axes"].items()}
    return given | {"base": base, "name": called}, problems


def _measurement(section: Any) -> tuple[Any, dict[str, Any]]:
    """Return the function that [measurement] names, and its settings: all other keys."""
    if not isinstance(section, Mapping):
        raise InputError(f"{MEASUREMENT}: {section!r}: must be a table with a function")
    settings = {key: value for key, value in section.items() if key != "function"}
    named = section.get("function")
    if not isinstance(named, str):
        said = "missing" if named is None else repr(named)
        raise InputError(f"{MEASUREMENT}.function: {said}: must be 'module:function'")
    return resolved(named, f"{MEASUREMENT}.function"), settings


def _inner(name: str) -> str:
    """Return an axis' name without the section, which may stand before each of its keys."""
    keys = (key.strip().removeprefix(f"{MEASUREMENT}.") for key in name.split(","))
    return ",".join(keys)


def _flat(axes: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield axes by dotted keys: without quotes, TOML reads network.depth as a table's key."""
    for key, value in axes.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


# --- what the store keeps -------------------------------------------------------------------------


def describe(sweep: Sweep) -> dict[str, Any]:
    """Return all that tells one state of a sweep from another, as plain tables."""
    measured = sweep.measure
    code = _code(TRAINING, ASKED_LATER) if measured is None else _code(measured.__module__)
    tables = [cell.table for cell in sweep.cells] if measured is None else []
    return {
        "kind": "training" if measured is None else "measurement",
        "measure": None if measured is None else f"{measured.__module__}:{measured.__qualname__}",
        "base": sweep.base,
        "axes": [
            [axis.name, list(axis.keys), [list(v) for v in axis.values]] for axis in sweep.axes
        ],
        "seeds": list(sweep.seeds),
        "record": sorted(sweep.record),
        "results_version": simdl.RESULTS_VERSION,
        "code": code | own_sources(tables),
        "data": _data(sweep.configurations, sweep.seeds[0]),
    }


@functools.cache
def _code(module: str, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return a short digest of each module that `module` depends on."""
    files = _sources.closure(module, without)
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for name, path in files.items()
    }


def _data(configurations: Sequence[Configuration], seed: int) -> dict[str, str]:
    """Return a digest of each data set that is read; what is drawn is told by its code."""
    found: dict[str, str] = {}
    for configuration in configurations:
        section = configuration.data_section
        table = section.model_dump(mode="json")
        for key in ("split", "scale", "target_scale"):  # how it is used, not what it is
            table.pop(key, None)
        where = canonical(table)
        if section.where not in data.GENERATED and where not in found:
            found[where] = configuration.source(seed).digest
    return found


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say what differs between two descriptions, a line a thing."""
    said = []
    if old["kind"] != new["kind"] or old["measure"] != new["measure"]:
        said.append(f"measure: {old['measure']} became {new['measure']}")
    before, after = _leaves(old["base"]), _leaves(new["base"])
    before |= {f"axes.{name}": values for name, _, values in old["axes"]}
    after |= {f"axes.{name}": values for name, _, values in new["axes"]}
    for key in ("seeds", "record", "results_version"):
        before[key], after[key] = old[key], new[key]
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            said.append(f"{key}: {_short(before.get(key))} became {_short(after.get(key))}")
    for where in sorted(old["data"].keys() & new["data"].keys()):
        if old["data"][where] != new["data"][where]:
            said.append(f"data: the contents of {where} changed")
    code = [
        name
        for name in sorted(old["code"].keys() | new["code"].keys())
        if old["code"].get(name) != new["code"].get(name)
    ]
    if code:
        more = f" and {len(code) - _LISTED} more" if len(code) > _LISTED else ""
        said.append(f"code: {', '.join(code[:_LISTED])}{more} changed")
    return said


def _leaves(table: Any, key: str = "") -> dict[str, Any]:
    """Return the values of nested tables by dotted keys."""
    if not isinstance(table, Mapping):
        return {key: table}
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _leaves(value, f"{key}.{name}" if key else str(name))
    return found


def _short(value: Any) -> str:
    text = "nothing" if value is None else canonical(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- provenance -----------------------------------------------------------------------------------


def provenance() -> dict[str, Any]:
    """Return where this runs: versions, processor, BLAS, and the command."""
    return _machine() | {"command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}


@functools.cache
def _machine() -> dict[str, Any]:
    from threadpoolctl import threadpool_info

    blas = [
        f"{info['internal_api']} {info['version']} ({info.get('architecture', '')})"
        for info in threadpool_info()
        if info["user_api"] == "blas"
    ]
    return {
        "simdl": simdl.__version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: metadata.version(name) for name in ("numpy", "numba", "llvmlite", "scipy")},
        "platform": platform.platform(),
        "cpu": _processor(),
        "blas": sorted(set(blas)),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
