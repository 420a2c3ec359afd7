"""Finding scenarios: those of the package by name, a user's own by file."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType

from simdl.errors import InputError, suggest

_PACKAGES = ("simdl._scenarios", "scenarios")  # installed; in a checkout that is not
_own: set[str] = set()  # names of scenarios that came from users' files
SHORT = ("softmax",)  # run first of all, for a first figure soon
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
    package = _package()
    if path.resolve().parent == Path(next(iter(package.__path__))).resolve():
        return importlib.import_module(f"{package.__name__}.{path.stem}")
    if not path.stem.isidentifier():
        raise InputError(f"{path}: the file's name must be a Python name")
    taken = path.stem in sys.modules and path.stem not in _own
    if taken or path.stem in names() or path.stem in sys.stdlib_module_names:
        raise InputError(f"{path}: {path.stem!r} is the name of another module: choose another")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    _own.add(path.stem)
    sys.modules[path.stem] = module  # measurements are found by their module's name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        raise InputError(f"{place(error, module)}: cannot be imported: {told(error)}") from error
    return module


def is_own(module: ModuleType) -> bool:
    """Whether a scenario is a user's own file, not one of the package."""
    return module.__name__.rpartition(".")[0] not in _PACKAGES


def place(error: BaseException, module: ModuleType) -> str:
    """Return "file:line", the last line of the scenario's file that the error came through."""
    file = str(module.__file__)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f"{file}:{lines[-1]}" if lines else file


def told(error: BaseException) -> str:
    """Return what an error says, with its kind."""
    return f"{type(error).__name__}: {error}"
