"""What travels to workers: a user's own modules, data that were read, versions to compare."""

from __future__ import annotations

import platform
import sys
import sysconfig
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import simdl
from simdl import _sources
from simdl.data import GENERATED, Source
from simdl.errors import InputError
from simdl.sweep.grid import own_sources
from simdl.sweep.measures import canonical

if TYPE_CHECKING:
    from simdl.sweep.run import Sweep

_DECIDE = ("numpy", "numba", "llvmlite", "scipy", "scikit-learn")  # what the numbers come from
_WORKER = "simdl.sweep.remote"  # with all it imports: what runs on a worker


@dataclass(frozen=True)
class Job:
    """What all chunks of one run of a sweep have in common.

    Attributes
    ----------
    key : tells it from any other run
    measure : module:function, None for trainings
    taken : names of axes, which no result may bear
    data : data sets that are read, by their description; what is drawn is drawn on the worker
    digests : of each module that the user named, with all it imports
    files : sources of the user's modules, by their path below a folder of the import path
    own_processes : the workers are children of this process and end with it
    """

    key: str
    measure: str | None
    record: tuple[str, ...]
    taken: frozenset[str]
    data: dict[str, Source]
    digests: dict[str, str]
    files: dict[str, bytes]
    own_processes: bool


def job(sweep: Sweep, cells: Iterable[int], own_processes: bool) -> Job:
    """Return what workers need to run trials of these cells.

    Raises
    ------
    InputError
        If a function stands in a script, which workers cannot import.
    """
    made = sweep.measure
    chosen = sorted(cells)
    if made is None:
        digests = own_sources([sweep.cells[cell].table for cell in chosen])
        modules = {name: digest for name, digest in digests.items() if digest is not None}
    else:
        modules = {made.__module__: _sources.digest(made.__module__)}
    if "__main__" in modules:
        raise InputError(
            "executor: an own op stands in a script that runs as __main__: put it in a module, for"
            " workers to import it from there"
        )
    return Job(
        uuid.uuid4().hex,
        None if made is None else f"{made.__module__}:{made.__qualname__}",
        sweep.record,
        frozenset(sweep.taken),
        _data(sweep, chosen),
        modules,
        _files(modules),
        own_processes,
    )


def _data(sweep: Sweep, cells: Iterable[int]) -> dict[str, Source]:
    found = {}
    for cell in cells if sweep.measure is None else ():
        configuration = sweep.configurations[cell]
        if configuration.data_section.where not in GENERATED:
            found[data_key(configuration)] = configuration.source(sweep.seeds[0])
    return found


def data_key(configuration: Any) -> str:
    """Return what a training's data set is known by in a `Job`."""
    return canonical(configuration.data_section.model_dump(mode="json"))


def _files(modules: Iterable[str]) -> dict[str, bytes]:
    """Return the sources of modules, of their packages and of what they import, by path.

    Installed packages, ours first, do not travel: workers have them, or are told to.
    """
    found: dict[str, bytes] = {}
    for module in modules:
        parts = module.split(".")
        for length in range(1, len(parts) + 1):  # importing a module runs its packages' __init__
            closure = _sources.closure(".".join(parts[:length]))
            for name, path in closure.items():
                if name.partition(".")[0] != "simdl" and not _installed(path):
                    place = name.replace(".", "/")
                    package = path.name == "__init__.py"
                    found[f"{place}/__init__.py" if package else f"{place}.py"] = path.read_bytes()
    return found


def _installed(path: Path) -> bool:
    standard = Path(sysconfig.get_path("stdlib"))
    shared = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(shared) or path.is_relative_to(standard)


def versions() -> dict[str, str]:
    """Return what must be the same here and on a worker, for results to be the same."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "simdl": simdl.__version__,
        **{name: metadata.version(name) for name in _DECIDE},
        "simdl's sources": _sources.digest(_WORKER)[:12],
        "byte order": sys.byteorder,
    }


def differences(theirs: dict[str, str]) -> list[str]:
    """Say which of a worker's versions are not those of this process."""
    return [
        f"{name} {theirs.get(name, 'unknown')}: must be {ours}, as here"
        for name, ours in versions().items()
        if theirs.get(name) != ours
    ]
