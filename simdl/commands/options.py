"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def path(text: str | Path) -> Path:
    """Return a path; an empty one, as of an unset variable, would be the folder we are in."""
    if not str(text).strip():
        raise typer.BadParameter("'': must be a path; it is empty")
    return Path(text)


Jobs = Annotated[int, typer.Option("--jobs", min=-1, help="Threads; -1: one a core.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Pairs = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="A setting.")]
