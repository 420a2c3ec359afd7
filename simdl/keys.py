"""Wrong keys of a configuration, and where they belong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from simdl import optimizers, schedules, stopping
from simdl.data.loading import READERS
from simdl.errors import suggest

_MANY = 2  # more tables than these have a key: naming them all is no help


def unknown(key: str, sections: Mapping[str, Any], known: Iterable[str]) -> str:
    """Say that a key of the first level is unknown; that of one table or two is named with it.

    Parameters
    ----------
    sections : tables of plain keys, pydantic models
    known : keys of the first level
    """
    homes = [f"{section}.{key}" for section, keys in _keys(sections).items() if key in keys]
    if 1 <= len(homes) <= _MANY:
        return f"{key}: unknown key (did you mean {' or '.join(map(repr, homes))}?)"
    return f"{key}: unknown key{suggest(key, known)}"


def _keys(sections: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the keys that each table may have."""
    named: dict[str, Mapping[str, Any]] = {
        "optimizer": optimizers.KINDS, "schedule": schedules.KINDS, "stop": stopping.KINDS,
    }  # fmt: skip
    found = {name: set(model.model_fields) for name, model in sections.items()}
    found["data"] |= {option for _, options in READERS.values() for option in options}
    for name, kinds in named.items():
        found[name] = {field.name for kind in kinds.values() for field in fields(kind)}
    return found


def untyped(tables: Sequence[Any], key: str) -> list[str]:
    """Say, once for all of them, that tables of layers lack their type."""
    lacking = [i for i, t in enumerate(tables) if isinstance(t, Mapping) and "type" not in t]
    named = [i for i in lacking if "name" in tables[i]]
    if not named:
        return []
    first, more = named[0], f", and {len(named) - 1} more alike" if named[1:] else ""
    name = tables[first]["name"]
    return [f"{key}.{first}.name: {name!r}: unknown key: a layer has type = {str(name)!r}{more}"]
