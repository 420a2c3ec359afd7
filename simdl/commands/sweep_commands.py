"""`simdl sweep` and `simdl results`: their options; what they do lies in the modules they call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simdl.commands.options import Jobs, path

Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", parser=path, show_default=False)]
StoreFile = Annotated[
    Path | None,
    typer.Option("--store", parser=path, help="File that keeps results; default: CONFIG.sqlite."),
]
Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="threads|dask|dask://HOST:PORT|tls://HOST:PORT",
        help="Threads, processes of Dask's here, or the workers of a Dask scheduler.",
    ),
]
Shard = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Run the I-th of N parts only.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run again what is stored.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take; keep nothing.")]
Going = Annotated[
    bool, typer.Option("--keep-going/--fail-fast", help="What a failed trial does to the others.")
]


def sweep(
    config: Config,
    store: StoreFile = None,
    jobs: Jobs = -1,
    executor: Executor = "threads",
    shard: Shard = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    keep_going: Going = True,
) -> None:
    """Run every trial of a sweep that is not stored yet; print the best cells."""
    from simdl.commands import sweeping

    asked = sweeping.Request(config, store, jobs, executor, shard, fresh, keep_going)
    sweeping.forecast(asked) if dry_run else sweeping.sweep(asked)


def results(
    store: Annotated[Path, typer.Argument(metavar="STORE", parser=path, show_default=False)],
    where: Annotated[
        list[str],
        typer.Option(
            "--where", metavar="KEY=VALUE", help="An axis, seed, status or sweep; may be repeated."
        ),
    ] = [],  # noqa: B006  typer copies it
    to: Annotated[
        str | None, typer.Option("--to", metavar="csv|parquet|netcdf", help="Export.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", parser=path, help="A file, not standard output.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Arrays too, a row a value: the long form.")
    ] = False,
    merge: Annotated[
        list[Path],
        typer.Option("--merge", metavar="STORE", parser=path, help="Take over another store."),
    ] = [],  # noqa: B006
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE]...", parser=path, show_default=False, hidden=True),
    ] = None,
) -> None:
    """List the sweeps in a store, export their trials, merge stores."""
    from simdl.commands import exporting

    others = [*merge, *(more or [])]
    exporting.results(exporting.Request(store, where, to, output, history, bool(merge), others))
