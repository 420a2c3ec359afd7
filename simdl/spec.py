"""Frozen, validated descriptions: what every layer, optimizer and schedule is declared with."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

import numpy as np
import pydantic
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass as _pydantic_dataclass

from simdl.errors import InputError, suggest

T = TypeVar("T")


def _plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, which alone pass strict validation."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value


# strict: neither True nor "3" is a number; whole numbers are
Real = Annotated[float, BeforeValidator(_plain), Field(strict=True)]
Positive = Annotated[Real, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[Real, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[Real, Field(ge=0, lt=1)]
Finite = Annotated[Real, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]
Flag = Annotated[bool, BeforeValidator(_plain), Field(strict=True)]


def describe(error: pydantic.ValidationError, prefix: str = "", known: Any = ()) -> list[str]:
    """Return one line a problem: key path, value, what would be right."""
    wrong: dict[str, tuple[Any, list[str]]] = {}
    lines: list[str] = []
    for item in error.errors(include_url=False):
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, InputError):  # of a __post_init__: it names its key itself
            lines += cause.problems
            continue
        place = list(item["loc"])
        if place and isinstance(place[0], int) and place[0] < len(known):
            place[0] = known[place[0]]  # an argument given by position
        keys = [str(part) for part in place if not _is_union_branch(part)]
        name = ".".join(([prefix] if prefix else []) + keys)
        if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            lines.append(f"{name}: unknown key{suggest(keys[-1], known) if known else ''}")
        elif item["type"] in ("missing", "missing_argument"):
            lines.append(f"{name}: missing: give a value")
        elif item["type"] == "unexpected_positional_argument":
            lines.append(f"{prefix}: takes at most {len(known)} arguments: {', '.join(known)}")
        else:
            wanted = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
            if item["type"] == "tuple_type":
                wanted = "should be a list, such as [2, 5]"
            if item["type"] in ("bool_type", "bool_parsing"):
                wanted = "should be true or false"
            wrong.setdefault(name, (item["input"], []))[1].append(wanted)
    return lines + [f"{name}: {v!r}: {' or '.join(said)}" for name, (v, said) in wrong.items()]


def _is_union_branch(part: Any) -> bool:
    """Whether a part of an error's place names a branch of a union, not a key."""
    return isinstance(part, str) and (part.startswith("constrained-") or "[" in part)


@dataclass_transform(frozen_default=True)
def spec(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass whose fields are checked once, when it is made.

    Raises
    ------
    InputError
        On construction, with all problems at once.
    """
    made = _pydantic_dataclass(frozen=True, config={"extra": "forbid"})(cls)
    checked = made.__init__
    known = [_alias(field) for field in dataclasses.fields(made)]

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            checked(self, *args, **kwargs)
        except pydantic.ValidationError as error:
            raise InputError(*describe(error, cls.__name__, known)) from None
        except TypeError as error:
            raise InputError(f"{cls.__name__}: {error}") from None

    made.__init__ = __init__  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def _alias(field: dataclasses.Field[Any]) -> str:
    """The name an argument is given by, which may differ from the attribute's."""
    return getattr(field.default, "alias", None) or field.name


def from_table(kinds: Mapping[str, type[T]], table: Any, key: str, tag: str = "name") -> T:
    """Make one of `kinds` from a name or from a table such as ``{name = "Adam", lr = 1e-3}``.

    Parameters
    ----------
    kinds : name -> class; capitals of a name do not matter
    table : a name, a mapping with `tag`, or an instance already
    key : where it stands, for messages
    """
    if not isinstance(table, str | Mapping):
        if isinstance(table, tuple(kind for kind in kinds.values() if isinstance(kind, type))):
            return cast(T, table)
        raise InputError(
            f"{key}: {table!r}: must be a name, a table or an instance{suggest('', kinds)}"
        )
    settings = {tag: table} if isinstance(table, str) else dict(table)
    name = settings.pop(tag, None)
    if name is None:
        misspelt = difflib.get_close_matches(tag, map(str, settings), n=1)
        if misspelt:
            raise InputError(f"{key}.{misspelt[0]}: unknown key{suggest(misspelt[0], [tag])}")
        raise InputError(f"{key}.{tag}: missing: give one of {', '.join(sorted(kinds))}")
    if isinstance(name, str) and name not in kinds:
        name = {kind.lower(): kind for kind in kinds}.get(name.lower(), name)
    if not isinstance(name, str) or name not in kinds:
        raise InputError(f"{key}: {name!r}: unknown{suggest(str(name), kinds)}")
    try:
        return kinds[name](**settings)
    except InputError as error:
        inner = kinds[name].__name__
        raise InputError(
            *(
                key + problem.removeprefix(inner)
                if problem.startswith(inner)
                else f"{key}.{problem}"
                for problem in error.problems
            )
        ) from None


_beside: list[
    Path
] = []  # folders of the files that were read; names in them may mean modules there


def search_beside(file: Path) -> None:
    """Let `resolved` find modules that lie beside a file, too."""
    folder = file.resolve().parent
    if folder not in _beside:
        _beside.append(folder)


def _folders() -> list[str]:
    """Where modules are looked for besides sys.path, which an installed command has no . in."""
    return list(dict.fromkeys(map(str, [*_beside, Path.cwd()])))


class _Beside:
    """The last place where a top-level module is looked for: `_folders`."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, _folders()) if path is None else None
        return None if found is None or found.loader is None else found  # None: a mere folder


def _module(name: str) -> ModuleType:
    """Import a module, it and what it imports from `_folders` where sys.path has it not."""
    if name in sys.modules:
        return sys.modules[name]
    importlib.invalidate_caches()
    sys.meta_path.append(_Beside)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(_Beside)


def resolved(function: Any, key: str) -> Any:
    """Return the function that "module:function" names; functions as they are."""
    if callable(function):
        return function
    module, colon, name = str(function).partition(":")
    if not (colon and module and name):
        raise InputError(f"{key}: {function!r}: must be a function or 'module:function'")
    try:
        return getattr(_module(module), name)
    except ImportError as error:
        lost = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
        why = f"{error} (searched: {', '.join(_folders()[-2:])}, sys.path)" if lost else error
        raise InputError(f"{key}: {function!r}: module cannot be imported: {why}") from None
    except AttributeError:
        raise InputError(f"{key}: {function!r}: module {module!r} has no {name!r}") from None


def to_tables(value: Any) -> Any:
    """Return a description as plain tables, lists and numbers, the same for equal descriptions.

    Functions become "module:function"; `from_tables` reads it back.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        fields = {f.name: to_tables(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": f"{kind.__module__}:{kind.__qualname__}"} | fields
    if isinstance(value, tuple | list):
        return [to_tables(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if callable(value):
        if "<" in value.__qualname__:  # <locals>, <lambda>
            raise InputError(
                f"{value.__module__}:{value.__qualname__}: cannot be found again by its name: "
                "define the function at the top of a module"
            )
        return f"{value.__module__}:{value.__qualname__}"
    raise InputError(f"{value!r}: cannot be written down: must be a number, a name or a function")


def from_tables(value: Any) -> Any:
    """Return the description that `to_tables` wrote down."""
    if isinstance(value, list):
        return tuple(from_tables(item) for item in value)
    if not isinstance(value, dict):
        return value
    fields = dict(value)
    module, _, name = fields.pop("type").partition(":")
    if module.partition(".")[0] != __name__.partition(".")[0]:
        raise InputError(f"{module}:{name}: must be a description of this package")
    kind = getattr(importlib.import_module(module), name)
    names = {f.name: _alias(f) for f in dataclasses.fields(kind)}
    return kind(**{names[key]: from_tables(item) for key, item in fields.items()})
