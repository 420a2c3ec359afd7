"""Digests of source code: what a compiled function or a stored result depends on."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path

_OURS = __name__.partition(".")[0]


@functools.cache
def _imported(path: Path, package: str) -> frozenset[str]:
    """Return the names of all modules that a source file imports, relative ones resolved."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(base, package) if node.level else base
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _locate(name: str) -> Path | None:
    """Return the source file of module `name`, None where it has none."""
    module = sys.modules.get(name)
    if module is not None:
        origin = getattr(module, "__file__", None)
    else:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError):
            return None
        origin = spec.origin if spec else None
    path = Path(origin) if origin else None
    return path if path and path.suffix == ".py" and path.is_file() else None


def closure(name: str) -> dict[str, Path]:
    """Return module `name` and all it imports from its own package or from ours: name -> file.

    Modules that lie beside it count as its own, so a script's helpers are followed too. Packages'
    ``__init__`` files count only where they are imported by name.
    """
    start = _locate(name)
    if start is None:
        return {}
    own = name.partition(".")[0]

    def followed(module: str) -> bool:
        root = module.partition(".")[0]
        return root in (own, _OURS) or start.with_name(f"{root}.py").is_file()

    found: dict[str, Path] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        path = None if current in found else _locate(current)
        if path is None:
            continue
        found[current] = path
        package = current if path.name == "__init__.py" else current.rpartition(".")[0]
        waiting += filter(followed, _imported(path, package))
    return found


@functools.cache
def digest(name: str) -> str:
    """Return a hex digest of module `name` and of what it imports from its package or from ours.

    Raises
    ------
    ValueError
        If the module has no source file (typed at a prompt, say).
    """
    files = closure(name)
    if name not in files:
        raise ValueError(f"module {name!r} has no source file")
    total = hashlib.sha256()
    for module in sorted(files):
        total.update(module.encode() + b"\0" + files[module].read_bytes() + b"\0")
    return total.hexdigest()
