"""`simdl train`, `profile` and `predict`: their options; what they do lies in other modules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from simdl.commands.options import Json, Pairs, path

Config = Annotated[
    Path | None, typer.Argument(metavar="CONFIG.toml", parser=path, show_default=False)
]
File = Annotated[
    str | None, typer.Option("--data", metavar="FILE", help="CSV, Parquet or NPZ (x and t).")
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="The column to predict.")
]
Task = Annotated[
    str | None, typer.Option("--task", help="classification or regression; default: by target.")
]
Drop = Annotated[list[str], typer.Option("--drop", metavar="COLUMN", help="A column to leave out.")]
Missing = Annotated[
    str | None, typer.Option("--missing", help="mean (of the training part) or drop (the row).")
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help='The CSV names no columns: they are "1", "2", ...')
]
Seed = Annotated[int | None, typer.Option("--seed", help="Draws split and weights.")]
Folder = Annotated[
    Path,
    typer.Argument(metavar="DIR", parser=path, show_default=False, help="As kept by --out."),
]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def train(
    config: Config = None,
    data: File = None,
    target: Target = None,
    task: Task = None,
    drop: Drop = [],  # noqa: B006  typer copies it
    missing: Missing = None,
    no_header: NoHeader = False,
    seed: Seed = None,
    pairs: Pairs = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option("--out", parser=path, help="Folder to predict from later.")
    ] = None,
) -> None:
    """Train a network on your data: from a configuration, or straight from a file."""
    from simdl.commands.description import Request
    from simdl.commands.training import train as run

    header = False if no_header else None
    run(Request(config, data, target, task, missing, drop, header, seed, pairs), out, _say)


def profile(
    config: Config = None,
    data: File = None,
    target: Target = None,
    task: Task = None,
    drop: Drop = [],  # noqa: B006
    missing: Missing = None,
    no_header: NoHeader = False,
    seed: Seed = None,
    pairs: Pairs = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Say where the time of a training's step goes, layer by layer, and what memory it takes."""
    from simdl.commands.description import Request
    from simdl.commands.profiling import profile as run

    header = False if no_header else None
    run(Request(config, data, target, task, missing, drop, header, seed, pairs), as_json, _say)


def predict(
    folder: Folder,
    data: Annotated[
        str, typer.Option("--data", metavar="FILE", help="New samples, in a file as before.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", parser=path, help="A file, not standard output.")
    ] = None,
) -> None:
    """Predict new samples with what `simdl train --out DIR` kept; a CSV on standard output."""
    from simdl.commands.predicting import predict as run

    run(folder, data, output, _say)
