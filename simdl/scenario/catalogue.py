"""Finding scenarios: those of the package by name, a user's own by file."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

from simdl.errors import InputError, suggest

_PACKAGES = ("simdl._scenarios", "scenarios")  # installed; in a checkout that is not
_NEEDED = ("QUESTION", "Settings", "sweeps", "claims", "figures")


def _package() -> ModuleType:
    for name in _PACKAGES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise InputError("no scenarios are installed: install the package again")


def names() -> list[str]:
    """Names of the package's scenarios, in alphabetical order."""
    found = pkgutil.iter_modules(_package().__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))


def find(name_or_file: str) -> ModuleType:
    """Return the scenario of a name, or of a file that ends in .py.

    Raises
    ------
    InputError
        If there is none, it cannot be imported, or it lacks one of its parts.
    """
    if name_or_file.endswith(".py"):
        module = _from_file(Path(name_or_file))
    elif name_or_file in names():
        module = importlib.import_module(f"{_package().__name__}.{name_or_file}")
    else:
        known = names()
        raise InputError(f"{name_or_file!r}: no such scenario{suggest(name_or_file, known)}")
    missing = [part for part in _NEEDED if not hasattr(module, part)]
    if missing:
        raise InputError(f"{name_or_file}: lacks {', '.join(missing)}: a scenario defines them")
    return module


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    for package in (_package(),):
        home = Path(next(iter(package.__path__)))
        if path.resolve().parent == home.resolve():
            return importlib.import_module(f"{package.__name__}.{path.stem}")
    if not path.stem.isidentifier():
        raise InputError(f"{path}: the file's name must be a Python name")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # measurements are found by their module's name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        raise InputError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    return module
