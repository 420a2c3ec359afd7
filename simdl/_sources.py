"""Digests of source code: what a compiled function or a stored result depends on."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_OURS = __name__.partition(".")[0]
_INIT = "__init__.py"


@functools.cache
def _imported(path: Path, package: str) -> frozenset[tuple[str, str]]:
    """Return (module, name) for all that a source file imports or reads as ``module.name``.

    The name is empty where a module is imported as such. What only type checkers see is left out.
    """
    found: set[tuple[str, str]] = set()
    known: dict[str, str] = {}  # what ``import`` binds here -> the module
    chains = []
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                known[bound] = alias.name if alias.asname else bound
                found |= {(alias.name, ""), (known[bound], "")}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(base, package) if node.level else base
            found.update((module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute):
            chains.append(node)
    for chain in chains:
        first, *rest = _dotted(chain.value)
        if first in known:
            found.add((".".join([known[first], *rest]), chain.attr))
    return frozenset(found)


def _dotted(node: ast.AST) -> list[str]:
    """Return the parts of a dotted name, [""] for any other expression."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*_dotted(node.value), node.attr]
    return [""]


def _locate(name: str) -> Path | None:
    """Return the source file of module `name`, None where it has none."""
    module = sys.modules.get(name)
    if module is not None:
        origin = getattr(module, "__file__", None)
    else:
        parent = _locate(name.rpartition(".")[0]) if "." in name else None
        if parent is not None and parent.name != _INIT:
            return None  # a name in a module: looking for it would import the module
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError):
            return None
        origin = spec.origin if spec else None
    path = Path(origin) if origin else None
    return path if path and path.suffix == ".py" and path.is_file() else None


def _holder(module: str, name: str) -> str:
    """Return the module in which `name`, imported from `module`, is to be looked up."""
    if name and _locate(f"{module}.{name}") is not None:
        return f"{module}.{name}"
    if module == _OURS:  # its names are lazy: following it would lead to the whole package
        home = getattr(sys.modules[_OURS], "_HOMES", {}).get(name)
        return f"{_OURS}.{home}" if home else ""
    return module


def _package(name: str, path: Path) -> str:
    """Return the package that relative imports in module `name` start from."""
    if name == "__main__":
        return getattr(sys.modules[name], "__package__", None) or ""
    return name if path.name == _INIT else name.rpartition(".")[0]


def _beside(name: str, path: Path) -> Path | None:
    """Return the folder that a module's top level lies in, None where everyone's packages lie."""
    levels = _package(name, path).count(".") + 1 if _package(name, path) else 0
    folder = path.parents[levels]
    installed = {Path(place) for place in sysconfig.get_paths().values()}
    foreign = folder in installed or folder.name in ("site-packages", "dist-packages")
    return None if foreign else folder


def closure(name: str, without: tuple[str, ...] = ()) -> dict[str, Path]:
    """Return module `name` and all it imports from its own package or from ours: name -> file.

    Modules named in `without`, and those inside them, are not followed.

    Modules and packages that lie beside it count as its own, so a script's helpers are followed
    too. A package's ``__init__`` counts where it is imported by name or a name is taken from it
    that is no module; that of our own package never does.
    """
    start = _locate(name)
    if start is None:
        return {}
    own = (_package(name, start) or name).partition(".")[0]
    beside = None if own == _OURS else _beside(name, start)

    def followed(module: str) -> bool:
        root = module.partition(".")[0]
        if root in (own, _OURS):
            return True
        return (
            beside is not None
            and bool(root)
            and ((beside / f"{root}.py").is_file() or (beside / root).is_dir())
        )

    def near(module: str, path: Path) -> bool:
        """Tell a helper from an installed package of which the folder has a namesake."""
        return module.partition(".")[0] in (own, _OURS) or path.is_relative_to(beside or path)

    found: dict[str, Path] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        left = any(current == module or current.startswith(f"{module}.") for module in without)
        path = None if not current or left or current in found else _locate(current)
        if path is None or (current != name and not near(current, path)):
            continue
        found[current] = path
        taken = _imported(path, _package(current, path))
        waiting += {_holder(module, what) for module, what in taken if followed(module)}
    return found


def own_files(described: Any) -> dict[str, Path]:
    """Return the files of the user's own modules that a description names, by where to copy them.

    Parameters
    ----------
    described : tables and lists with functions as "module:function"

    What is installed for everyone is left out, and so is a module without a source file.
    """
    if isinstance(described, str):
        name, _, function = described.partition(":")
        plain = all(part.isidentifier() for part in (*name.split("."), *function.split(".")))
        foreign = plain and name.partition(".")[0] not in (_OURS, "__main__")
        start = _locate(name) if foreign else None
        if start is None or _beside(name, start) is None:
            return {}
        found = closure(name, (_OURS,))
        parts = name.split(".")
        for above in (".".join(parts[:i]) for i in range(1, len(parts))):
            package = _locate(above)
            found |= {} if package is None else {above: package}
        return {_place(module, path): path for module, path in found.items()}
    inner = described.values() if isinstance(described, Mapping) else described
    if not isinstance(inner, Iterable):
        return {}
    return {place: path for value in inner for place, path in own_files(value).items()}


def _place(module: str, path: Path) -> str:
    """Where below a folder a module must lie to be imported from there."""
    return module.replace(".", "/") + (f"/{_INIT}" if path.name == _INIT else path.suffix)


@functools.cache
def digest(name: str, without: tuple[str, ...] = ()) -> str:
    """Return a hex digest of module `name` and of what it imports from its package or from ours.

    `without` : as of `closure`.

    Raises
    ------
    ValueError
        If the module has no source file (typed at a prompt, say).
    """
    files = closure(name, without)
    if name not in files:
        raise ValueError(f"module {name!r} has no source file")
    total = hashlib.sha256()
    for module in sorted(files):
        total.update(module.encode() + b"\0" + files[module].read_bytes() + b"\0")
    return total.hexdigest()
