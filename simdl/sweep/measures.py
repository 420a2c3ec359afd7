"""Measurements: which functions may be one, and settings as plain tables."""

from __future__ import annotations

import functools
import importlib
import json
import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simdl import _sources
from simdl.errors import InputError


def check_measure(function: Callable[..., Any]) -> None:
    """Raise InputError, saying why, unless `function` can be found again as module:function.

    Its identity is its module's source; a store must tell its results from another's.
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if not callable(function) or module is None or name is None:
        raise InputError(f"measure: {function!r}: must be a function at the top level of a module")
    if "<lambda>" in name or "<locals>" in name:
        kind = "a lambda" if "<lambda>" in name else "defined inside a function"
        raise InputError(
            f"measure: {name} of {module}: is {kind}: define it at a module's top level"
        )
    if module == "__main__":
        raise InputError(
            f"measure: {name}: stands in a script that runs as __main__: put it in a module"
            " and import it from there"
        )
    try:
        home = sys.modules.get(module) or importlib.import_module(module)
        found = operator.attrgetter(name)(home)
    except (ImportError, AttributeError):
        raise InputError(f"measure: {module}:{name}: cannot be imported by this name") from None
    if found is not function:
        raise InputError(f"measure: {module}:{name}: that name means another function")
    try:
        _sources.digest(module)
    except ValueError as error:
        raise InputError(f"measure: {module}:{name}: {error}: write it to a file") from None


def plain(value: Any, key: str) -> Any:
    """Return `value` as text, numbers, lists and tables; NumPy's become Python's.

    Raises
    ------
    InputError
        If there is something else in it; `key` names the place.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist(), key)
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{key}.{k}" if key else str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item, f"{key}.{i}") for i, item in enumerate(value)]
    raise InputError(f"{key}: {value!r}: must be a number, text, a list or a table")


def canonical(value: Any) -> str:
    """Return plain values as JSON that is equal for equal values; floats keep every digit."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def settings_copy(settings: Any) -> Any:
    """Return a deep copy of plain settings."""
    if isinstance(settings, dict):
        return {key: settings_copy(value) for key, value in settings.items()}
    return [settings_copy(item) for item in settings] if isinstance(settings, list) else settings


# What a training's numbers come from is this with all it imports, except what a finished training
# calls when it is asked. A measure that calls these has them in its own digest.
TRAINING = "simdl.configuration"
ASKED_LATER = ("simdl.diagnosis", "simdl.plot", "simdl.prediction")


@functools.cache
def numeric_digest() -> str:
    """Digest of all that a training's numbers come from: kernels, engine, specs, data."""
    return _sources.digest(TRAINING, ASKED_LATER)
