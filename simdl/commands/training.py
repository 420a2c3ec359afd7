"""`simdl train`: from data to a trained network, its scores and a folder to predict from."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.commands.data_remarks import remarks
from simdl.commands.description import Plan, Request, plan
from simdl.commands.files import folder_for, write_csv, write_figure, write_text
from simdl.commands.toml_text import toml_text
from simdl.commands.wording import as_options, in_options
from simdl.errors import InputError, Interrupted
from simdl.scenario.catalogue import names as scenario_names

if TYPE_CHECKING:
    from simdl.data import Data
    from simdl.prediction import Predictions
    from simdl.result import Result

PARTS = ("test", "validation", "train")  # the first of them that there is is scored
EVERY = 5.0  # seconds between lines where there is no terminal

Say = Callable[[str], None]


def train(request: Request, out: Path | None, say: Say) -> None:
    """Train as requested; print the scores, write the folder `out`, say everything else.

    Raises
    ------
    InputError, StorageError, Interrupted
    """
    with in_options():
        asked = plan(request)
        with nullcontext() if out is None else folder_for(out):  # made before what may be long
            data = asked.configuration.data(asked.seed)
            training = asked.configuration.build(data)
            _introduce(asked, data, training, say)
            result = _trained(training, data, asked.seed, say)
    if out is not None:  # before anything that could fail
        keep(out, asked, result)
    status = "DIVERGED" if result.divergence else result.status
    say(f"{status}: {result.reason}")
    scored = _scored(asked, data, result)
    print("\n".join(report(scored)))
    print(f"\n{as_options(result.health().told(scenario_names()))}")
    if out is None:
        say("nothing is kept: --out DIR keeps it, for simdl predict DIR --data NEW.csv")
        return
    result.save(out)  # again, with its health
    with suppress(InputError):  # where neither loss nor accuracy was measured over the training
        write_figure(out / "history.png", result.plot())
    if scored.predictions is not None:
        header, lines = rows_of(scored.predictions, scored.rows, scored.t)
        write_csv(out / "predictions.csv", header, lines)
    use = f"simdl predict {out} --data NEW{Path(data.name).suffix or '.npz'}"
    say(f"kept in {out}/: {use if scored.predictions else 'it diverged and predicts nothing'}")


def keep(out: Path, asked: Plan, result: Result) -> None:
    """Write what trains the same again, the parameters and the history."""
    table = {"seed": asked.seed} | dict(asked.table)
    path = table.get("data", {}).get("path")
    if path is not None:  # relative to here, and the folder may move
        table["data"] = table["data"] | {"path": str(Path(path).expanduser().absolute())}
    result.save(out)
    write_text(out / "configuration.toml", toml_text(table))
    _write_history(out / "history.csv", result)


def _introduce(asked: Plan, data: Data, training: Any, say: Say) -> None:
    source = asked.source
    parts = {name: getattr(data, name) for name in reversed(PARTS)}
    counts = ", ".join(f"{len(p[0])} {name}" for name, p in parts.items() if p is not None)
    what = "regression" if source.classes is None else f"{len(source.classes)} classes"
    say(f"data: {source.name}: {len(source.x)} samples of {data.input_shape}, {what}; {counts}")
    if source.left_out:
        say(f"data: {source.left_out} rows with missing values are left out")
    for line in remarks(source):
        say(f"data: {line}")
    for line in asked.guessed:
        say(line)
    say(f"{training.net.n_parameters:,} parameters, seed {asked.seed}")


def _trained(training: Any, data: Data, seed: int, say: Say) -> Result:
    from simdl.training import train_chunk

    steps = training.length(data.sizes[0])[2]
    try:
        with _progress(steps, say) as watch:
            return train_chunk(training, [data], [seed], watch=watch)[0]
    except KeyboardInterrupt:
        raise Interrupted("interrupted: nothing is kept of this training") from None


@contextmanager
def _progress(steps: int, say: Say) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, a line every few seconds elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bars:
            bar = bars.add_task("steps", total=steps)
            yield lambda step: bars.update(bar, completed=step)
        return
    said = time.monotonic()

    def line(step: int) -> None:
        nonlocal said
        if step and time.monotonic() - said > EVERY:
            said = time.monotonic()
            say(f"step {step} of {steps}")

    yield line


@dataclass(frozen=True)
class Scored:
    """A part of the data and what is predicted for it.

    Attributes
    ----------
    part : its name
    rows : (n,) where its samples stand in the file, from 0
    t : labels (n,) or targets (n, k), in their own units
    predictions : None after a divergence
    why : the divergence
    loss : its loss, and what that is
    """

    part: str
    rows: np.ndarray
    t: np.ndarray
    predictions: Predictions | None
    why: str = ""
    loss: str = ""


def _scored(asked: Plan, data: Data, result: Result) -> Scored:
    """Predict the test part; where there is none, validation or training."""
    from simdl.prediction import from_inputs
    from simdl.scores import doubt

    part = next(name for name in PARTS if getattr(data, name) is not None)
    source, split = asked.source, asked.configuration.data_section.split
    samples = source.indices(split, asked.seed)[PARTS[::-1].index(part)]
    rows = samples if source.rows is None else source.rows[samples]
    x, how, why = getattr(data, part)[0], result.training, doubt(result)
    if why:
        return Scored(part, rows, source.t[samples], None, why)
    said = from_inputs(how.net, how.loss, result.params, result.encoder, x)
    return Scored(part, rows, source.t[samples], said, loss=_loss(asked, part, data, result))


def _loss(asked: Plan, part: str, data: Data, result: Result) -> str:
    """Say what the loss of a part is, and in which units."""
    given = asked.configuration.training.loss
    name = given.get("name") if isinstance(given, Mapping) else given
    own = repr(asked.source.form.target) if asked.source.form else "the target"
    scaler = data.target_scaler
    units = "" if scaler is None else f", of {own} scaled ({scaler.kind})"
    if data.n_classes is None:
        units += f"; RMSE is in the units of {own}"
    return f"{part} loss  {result.metrics[f'{part}_loss']:.6g} ({name}{units})"


def report(scored: Scored) -> list[str]:
    """Return the scores as lines of text."""
    from simdl.prediction import confusion, precision_recall, regression_errors

    part, t, predictions = scored.part, scored.t, scored.predictions
    if predictions is None:
        return [f"{part}: no scores: {scored.why}"]
    names = predictions.classes
    if predictions.labels is None or names is None:
        errors = regression_errors(t, predictions.outputs)
        return [*(f"{part} {name:<5} {value:.6g}" for name, value in errors.items()), scored.loss]
    right = int((t == predictions.labels).sum())
    lines = [f"{part} accuracy {right / len(t):.4f} ({right} of {len(t)})"]
    lines.append(scored.loss)
    counts = confusion(t, predictions.labels, len(names))
    lines += ["", "confusion matrix: a row a true class, a column a predicted one"]
    lines += table([["", *names], *([name, *row] for name, row in zip(names, counts, strict=True))])
    precision, recall = precision_recall(counts)
    scores = [["class", "precision", "recall", "samples"]]
    for i, name in enumerate(names):
        scores.append([name, _share(precision[i]), _share(recall[i]), counts[i].sum()])
    return [*lines, "", *table(scores)]


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return rows as lines of even columns: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in cells
    ]


def rows_of(
    predictions: Predictions, rows: np.ndarray, targets: np.ndarray | None = None
) -> tuple[list[str], Iterator[list[Any]]]:
    """Return header and lines of a CSV of predictions: row of the file (from 0), target, answer."""
    columns: list[tuple[str, Sequence[Any]]] = [("row", rows.tolist())]
    if targets is not None and predictions.classes is not None:
        targets = np.array(predictions.classes, dtype=np.str_)[targets]
    for name, values in (("target", targets), ("prediction", predictions.answers)):
        if values is None:
            continue
        if values.ndim == 1 or values.shape[1] == 1:
            columns.append((name, values.reshape(-1).tolist()))
        else:
            columns += [(f"{name}_{i}", values[:, i].tolist()) for i in range(values.shape[1])]
    if predictions.probabilities is not None and predictions.classes is not None:
        shares = np.round(predictions.probabilities, 9).T.tolist()
        named = zip(predictions.classes, shares, strict=True)
        columns += [(f"probability_{name}", share) for name, share in named]
    lines = zip(*(values for _, values in columns), strict=True)
    return [name for name, _ in columns], (list(line) for line in lines)


def _write_history(path: Path, result: Result) -> None:
    """Write a line a record: epoch or step, then each measurement, of layers one a layer."""
    axes: dict[str, dict[float, dict[str, float]]] = {}
    names: dict[str, None] = {}
    for name, values in result.history.items():
        axis = str(values.dims[0])
        parts = {str(name): values.values}
        if "layer" in values.dims:
            layers = values["layer"].values
            parts = {f"{name}[{layer}]": values.values[:, i] for i, layer in enumerate(layers)}
            parts = {key: column for key, column in parts.items() if not np.isnan(column).all()}
        for key, column in parts.items():
            names[key] = None
            for at, value in zip(values[axis].values.tolist(), column.tolist(), strict=True):
                axes.setdefault(axis, {}).setdefault(at, {})[key] = value
    header = [*axes, *names]
    lines = [
        [at if axis == own else "" for own in axes] + [record.get(name, "") for name in names]
        for axis, records in axes.items()
        for at, record in sorted(records.items())
    ]
    write_csv(path, header, lines)
