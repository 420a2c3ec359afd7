"""Compiled code on disk: found again only while every source that it came from is unchanged.

Numba's own cache does not notice an edit in another module, mixes bounds-checked with plain code
and can race. Here it is one file a function, signature and digest, written whole or not at all.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.dispatcher import Dispatcher

from simdl._sources import digest

compiled: list[str] = []  # what this process compiled, for whoever counts
loaded: list[str] = []  # what it took from the cache


def _folders() -> Iterator[Path]:
    """Yield the places compiled code may lie, the preferred one first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"]) / "simdl"
        return
    with contextlib.suppress(RuntimeError):
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        yield Path(home) / "simdl" / "compiled"


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder that holds compiled code, None where nothing is writable."""
    for folder in _folders():
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
    return None


def _announce() -> None:
    """Say once, on stderr, why the first run takes its time."""
    if not compiled:
        where = cache_folder()
        kept = f"kept in {where}" if where else "not kept: no folder is writable"
        long = "up to a minute, once for each kind of layer, loss and optimizer"
        print(f"simdl: compiling what runs for the first time ({long}); {kept}", file=sys.stderr)


_FOREIGN = ("llvmlite", "numba", "numpy", "scipy")  # their versions tell


def _names(code: CodeType) -> set[str]:
    """Return the names of globals and attributes in a function's code and those inside it."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _function(function: FunctionType, seen: set[Any]) -> tuple[Any, ...]:
    """Describe a function: its code, what its closure and its globals hold, its module's digest."""
    root = (function.__module__ or "").partition(".")[0]
    if id(function) in seen or root in _FOREIGN:
        return ("function", function.__qualname__)
    seen.add(id(function))
    try:
        source = digest(function.__module__ or "")
    except ValueError:
        source = ""
    names = _names(function.__code__)
    held: list[Any] = [function.__defaults__, *sorted((function.__kwdefaults__ or {}).items())]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # nothing in it yet
            held.append(cell.cell_contents)
    named = [(name, function.__globals__.get(name)) for name in sorted(names)]
    described = [_describe(value, names, seen) for value in [*held, *named]]
    return ("function", source, _describe(function.__code__, names, seen), *described)


def _describe(value: Any, names: set[str], seen: set[Any]) -> Any:
    """Describe what compiled code may take as a constant, so that its repr tells values apart.

    Parameters
    ----------
    value : a global, a constant, what a closure holds
    names : of a module, only these are described
    seen : the functions and modules already described; grows
    """
    kind = type(value).__qualname__
    if isinstance(value, Dispatcher):
        value = value.py_func
    if isinstance(value, FunctionType):
        return _function(value, seen)
    if isinstance(value, CodeType):
        constants = [_describe(const, names, seen) for const in value.co_consts]
        return (value.co_code, value.co_names, value.co_filename, *constants)
    if isinstance(value, ModuleType):
        visit = (id(value), frozenset(names))
        if visit in seen or value.__name__.partition(".")[0] in _FOREIGN:
            return value.__name__
        seen.add(visit)
        there = [(name, vars(value)[name]) for name in sorted(names & vars(value).keys())]
        return (value.__name__, *(_describe(pair, names, seen) for pair in there))
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        layout = getattr(value, "strides", ())
        return (kind, str(value.dtype), value.shape, layout, _sha(value.tobytes()))
    if isinstance(value, tuple):
        return (kind, *(_describe(item, names, seen) for item in value))
    if isinstance(value, frozenset):
        return (kind, *sorted(repr(_describe(item, names, seen)) for item in value))
    if isinstance(value, _PLAIN):
        return (kind, repr(value))
    return kind


_PLAIN = (bool, int, float, complex, str, bytes, type, np.dtype, type(None), enum.Enum)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_SUM = 32  # bytes of checksum before the payload


class DiskCache(_Cache):
    """One file for each function, signature and digest; written whole or not at all."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not Path(function.__code__.co_filename).is_file():
            raise ValueError(
                f"{function.__qualname__} was made by exec: no digest knows its source"
            )
        self._function = function
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._digest = digest(function.__module__)
        self._line = function.__code__.co_firstlineno  # two functions may bear one name
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        return str(cache_folder()) if cache_folder() else None

    def _file(self, signature: Any, codegen: Any) -> Path | None:
        folder = cache_folder()
        if folder is None or not self._enabled:
            return None
        key = (
            self._digest,
            digest("simdl._jit"),
            _describe(self._function, set(), set()),  # late: at decoration globals may be missing
            self._line,
            str(signature),
            codegen.magic_tuple(),
            sys.version,
            platform.machine(),
            (numba.__version__, llvmlite.__version__),
            (config.BOUNDSCHECK, config.OPT, config.DEBUG, config.DEBUGINFO_DEFAULT),
        )
        stem = hashlib.sha256(repr(key).encode()).hexdigest()[:32]
        return folder / f"{self._name}-{stem}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        file = self._file(sig, target_context.codegen())
        try:
            if file is None or not file.exists():
                raise FileNotFoundError
            stored = file.read_bytes()
            if hashlib.sha256(stored[_SUM:]).digest() != stored[:_SUM]:
                raise ValueError  # machine code must not run with a bit turned
            payload = pickle.loads(stored[_SUM:])
            result = CompileResultCacheImpl.rebuild(None, target_context, payload)
        except Exception:  # a damaged or foreign file is as good as none: compile again
            _announce()
            compiled.append(f"{self._name}{sig}")
            return None
        loaded.append(f"{self._name}{sig}")
        return result

    def save_overload(self, sig: Any, data: Any) -> None:
        file = self._file(sig, data.codegen)
        if file is None or data.library.has_dynamic_globals:
            return
        with contextlib.suppress(OSError):  # a full disk costs time, not the run
            handle, part = tempfile.mkstemp(dir=file.parent)
            try:
                with os.fdopen(handle, "wb") as stream:
                    payload = pickle.dumps(CompileResultCacheImpl.reduce(None, data))
                    stream.write(hashlib.sha256(payload).digest() + payload)
                Path(part).replace(file)
            except BaseException:
                Path(part).unlink()
                raise

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Files of older digests are left: another checkout may use them."""
