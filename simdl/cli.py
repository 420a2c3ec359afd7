"""The command line. Data go to stdout, progress and messages to stderr.

Exit: 0 done; 1 a fault of ours; 2 wrong usage or configuration; 3 with --check a contrary verdict,
or with --pilot too few replicates; 4 trials failed; 5 the store or disk; 130 interrupted.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from simdl import RESULTS_VERSION, __version__
from simdl.commands import sweep_commands, train_commands
from simdl.commands.options import Jobs, Json, Pairs
from simdl.commands.options import path as _path
from simdl.errors import InputError, Interrupted, StorageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing what draws the boxes takes .2 s
    help="Deep-learning textbook claims as experiments: compiled training, figures, verdicts.",
)


Names = Annotated[list[str], typer.Argument(metavar="NAME|FILE.py ...", show_default=False)]
Quick = Annotated[bool, typer.Option("--quick", help="Few replicates, 99 % intervals: seconds.")]
Full = Annotated[bool, typer.Option("--full", help="The published settings: long.")]
Check = Annotated[bool, typer.Option("--check", help="Exit 3 if a verdict is not as expected.")]
Out = Annotated[Path, typer.Option("--out", parser=_path, help="Folder for figures and verdicts.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train again what is stored.")]
Pilot = Annotated[
    bool, typer.Option("--pilot", help="Seeds of pilots: are there replicates enough?")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be trained.")]


_INTERRUPTED = "interrupted: what was finished is kept; the same command continues"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _watching() -> Iterator[Any]:
    """Show bars on a terminal while sweeps run; elsewhere the lines of `_say` are enough."""
    stopping = "finishing what runs; Ctrl-C again stops at once"
    if not sys.stderr.isatty():
        said: list[str] = []

        def line(now: Any) -> None:
            if now.stopping and not said:
                said.append(stopping)
                _say(f"{now.name}: {stopping}")

        yield line
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("trials")

        def show(now: Any) -> None:
            told = stopping if now.stopping else "trials"
            bars.update(bar, completed=now.done, total=now.total, description=told)

        yield show


def _version(wanted: bool) -> None:
    if wanted:
        print(f"simdl {__version__} (results version {RESULTS_VERSION})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("list")
def list_scenarios(as_json: Json = False) -> None:
    """List the scenarios with their questions."""
    from simdl.scenario import texts
    from simdl.scenario.catalogue import find, names

    found = [{"name": n, "question": texts.question(find(n).QUESTION)} for n in names()]
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    width = max(len(entry["name"]) for entry in found)
    for entry in found:
        print(f"{entry['name']:<{width}}  {entry['question']}")


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE.py", show_default=False)],
    as_json: Json = False,
) -> None:
    """Print a scenario's question, claims and settings."""
    from simdl.scenario.explaining import explanation, lines

    told = explanation(name)
    print(json.dumps(told, indent=1, ensure_ascii=False) if as_json else "\n".join(lines(told)))


@app.command()
def run(
    names: Names,
    quick: Quick = False,
    full: Full = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Base seed.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Replicates.")] = None,
    jobs: Jobs = -1,
    out: Out = Path("figures"),
    pairs: Pairs = [],  # noqa: B006  typer copies it
    fresh: Fresh = False,
    pilot: Pilot = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    check: Check = False,
) -> None:
    """Run scenarios: train what is missing, judge the claims, draw the figures."""
    from simdl.commands.settings import parse_settings, with_options
    from simdl.scenario.runner import Request, Run

    if quick and full:
        raise InputError("--quick and --full: give one of them")
    given = with_options(parse_settings(pairs), seed=seed, seeds=seeds)
    mode = "quick" if quick else "full" if full else "default"
    request = Request(mode, given, out, jobs, fresh, pilot)
    runs = [Run(name, request) for name in names]
    if dry_run:
        _dry_run(runs, as_json)
        return
    with _watching() as watch:
        records = [entry for item in runs for entry in item.execute(_say, watch)]
    _report(records, quick=quick, as_json=as_json, check=check, pilot=pilot)
    for item in runs:
        _say(f"{item.name}: figures and verdicts in {item.folder}/")


@app.command()
def figures(
    quick: Quick = False, check: Check = False, jobs: Jobs = -1, out: Out = Path("figures")
) -> None:
    """Run every scenario and gather the verdicts."""
    from simdl.report import build
    from simdl.scenario.catalogue import SHORT, names
    from simdl.scenario.runner import Request, Run, assemble

    mode = "quick" if quick else "default"
    every = names()
    with _watching() as watch:
        for name in sorted(every, key=lambda name: name not in SHORT):
            Run(name, Request(mode, {}, out, jobs)).execute(_say, watch)
    records = assemble(out, every)
    page = build(out)
    _report(records, quick=quick, check=check)
    _say(f"figures and verdicts.json in {out}/; the report: {page}")


@app.command()
def report(
    opened: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    out: Out = Path("figures"),
) -> None:
    """Write the report from what the last run left: index.html and its pages."""
    from simdl.report import build

    page = build(out)
    print(page)
    if opened:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            _say(f"no browser found: open {page} in one")


app.command()(train_commands.train)
app.command()(train_commands.profile)
app.command()(train_commands.predict)
app.command()(sweep_commands.sweep)
app.command()(sweep_commands.results)


def _dry_run(runs: Sequence[Any], as_json: bool) -> None:
    told = {item.name: item.trials() for item in runs}
    if as_json:
        print(json.dumps(told, indent=1))
        return
    for name, sweeps in told.items():
        for key, (total, missing) in sweeps.items():
            print(f"{name}: {key}: {total} trials, {missing} to train")


def _report(
    records: Sequence[dict[str, Any]],
    *,
    quick: bool,
    as_json: bool = False,
    check: bool = False,
    pilot: bool = False,
) -> None:
    from simdl.scenario import pilots
    from simdl.scenario.claims import contrary
    from simdl.scenario.runner import summary

    if as_json:
        print(json.dumps(records, indent=1, ensure_ascii=False))
    else:
        for line in summary(records, quick):
            print(line)
    wrong = [entry["id"] for entry in records if contrary(entry, quick)]
    if wrong:
        _say(f"NOT AS EXPECTED: {', '.join(wrong)}")
    weak = [] if quick else [f"{r['id']} ({pilots.power(r):.2g})" for r in pilots.weak(records)]
    if weak:
        _say(f"POWER BELOW {pilots.ENOUGH}, more replicates are needed: {', '.join(weak)}")
    if check and (wrong or (pilot and weak)):
        raise typer.Exit(3)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; end the process with the exit code the module names."""
    os.environ.setdefault("MPLBACKEND", "agg")  # pictures go to files, and need no window
    atexit.register(gc.freeze)  # else Python's last collections look through all of Numba: .7 s
    gc.set_threshold(100_000, 20, 100)  # imports, syntax trees, figures: objects that live long
    sys.exit(_guarded(list(sys.argv[1:] if arguments is None else arguments)))


def _guarded(arguments: list[str]) -> int:
    try:
        result = app(arguments, prog_name="simdl", standalone_mode=False)
        code = int(result) if isinstance(result, int) else 0
        return _failed((_INTERRUPTED,), code) if code == 130 else code  # the parser hears Ctrl-C
    except StorageError as error:
        return _failed(error.problems, 5)
    except InputError as error:
        return _failed(error.problems, 2)
    except Interrupted as error:
        return _failed((str(error),), 130)
    except (KeyboardInterrupt, typer.Abort):
        return _failed((_INTERRUPTED,), 130)
    except Exception as error:
        return _other(error)


def _other(error: Exception) -> int:
    """Exit code of an error that is not ours by type: the command line parser's, failed trials."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):  # what the parser says of wrong usage
        show(file=sys.stderr)
        return 2
    if type(error).__name__ == "FailedTrials":
        return _failed(str(error).splitlines(), 4)
    import traceback

    traceback.print_exc()
    _say(f"simdl: a fault of ours, {time.strftime('%Y-%m-%d')}: please report the lines above")
    return 1


def _failed(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        _say(f"simdl: {problem}")
    return code
