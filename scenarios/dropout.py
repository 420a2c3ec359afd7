"""Does dropout lower overfitting, and by what means?

Networks on few digits, with dropout of several rates. Where a part of the labels is random, dropout
keeps the network from learning them, and it errs less. Where labels are clean, a network trained to
the end is more sure of its errors with dropout than without. How much the units rely on each other
is seen from what is lost when some are taken away. Linear regression has a closed form, and so has
the average of all sub-networks behind a softmax: it is the one network that is used in the end.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field, field_validator

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.dropped import TASKS, fit, problem, regression, reliance
from simdl.scenario.subnetworks import SIZES, every_mask, sampled
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import dropout as theory

QUESTION = "dropout.question"

NONE, HALF = 0.0, 0.5  # rates that are compared
LOWER, MORE_RIGHT = 0.9, 0.02  # test loss with dropout over without; test accuracy, its rise
NOT_HIGHER = 1.1  # test loss with dropout over without, each at its own learning rate
REMOVED, SPARED = 0.5, 0.05  # share of units taken away; test accuracy that dropout saves then
CLOSE = 0.02  # relative: what counts as equal to the closed form
EXACT, APART = 1e-12, 0.01  # difference of probabilities
SAME, WORSE = 0.02, 0.03  # test accuracy: equal to weight scaling's, below it
FITS = (0.2, 0.5, 0.8)  # rates, of linear regression
SAMPLES, FEATURES = 40, 8
PLACES = {"linear": "inputs,\n1 layer", "last": "hidden,\n2 layers", "inputs": "inputs,\n2 layers"}
SHOWN = {"clean": "100 samples, clean labels", "noisy": "400 samples, 20 % random labels"}
LOOKS = {"clean": (style.RED, "s"), "noisy": (style.BLUE, "o")}


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "fits": 5, "rates": (0.0, 0.5, 0.8), "widths": (16,),
        "survey": 1, "learning_rates": (0.0003,), "average": 6_000,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {
        "seeds": 128, "fits": 64, "rates": tuple(k / 10 for k in range(10)), "survey": 16,
        "widths": (16, 32, 64, 128, 256, 512),
        "learning_rates": tuple(0.00005 * 2 ** (k / 2) for k in range(11)),
    }  # fmt: skip

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim on digits")] = 40
    fits: Annotated[
        int, Field(ge=2, le=10_000, description="replicates of every claim on closed forms")
    ] = 16  # fmt: skip
    width: Annotated[int, Field(ge=4, description="units of both hidden layers")] = 64
    rates: Annotated[
        tuple[float, ...], Field(description="rates of dropout, beside none and a half")
    ] = (0.0, 0.2, 0.35, 0.5, 0.8)  # fmt: skip
    lr: Annotated[float, Field(gt=0, description="learning rate of Adam, for all alike")] = 0.001
    steps: Annotated[int, Field(ge=1, description="training steps, batches of 32")] = 3_000
    learning_rates: Annotated[
        tuple[float, ...],
        Field(min_length=1, description="learning rates to choose each one's own from"),
    ] = (0.00005, 0.0001, 0.0002, 0.0004, 0.0008, 0.0016)
    widths: Annotated[
        tuple[int, ...], Field(min_length=1, description="units, of the survey of widths, rising")
    ] = (16, 32, 128)  # fmt: skip
    survey: Annotated[int, Field(ge=1, description="replicates of the survey of widths")] = 3
    average: Annotated[
        int, Field(ge=100, description="training steps of linear regression")
    ] = 20_000  # fmt: skip

    @field_validator("rates")
    @classmethod
    def _are_shares(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= rate < 1 for rate in rates):
            raise ValueError("must lie from 0 to below 1")
        return rates


def sweeps(settings: Settings) -> dict[str, Any]:
    """Networks of all rates; each at its own learning rate; by width; averages; closed forms."""
    s, tasks = settings, list(TASKS)
    base = {"width": s.width, "steps": s.steps}
    alike = base | {"optimizer": {"lr": s.lr}}
    two: dict[str, Any] = {"task": tasks, "rate": [NONE, HALF]}
    few, born = ([s.seed + i for i in range(n)] for n in (s.survey, s.fits))
    fitting = {"samples": SAMPLES, "features": FEATURES, "lr": 0.01, "steps": s.average}
    return {
        "rates": simdl.Sweep(
            alike, {"task": tasks, "rate": sorted({*s.rates, NONE, HALF})}, s.replicates,
            measure=reliance,
        ),
        "own": Tuned(base, two, s.learning_rates, s.pilots, s.replicates, measure=fit),
        "learning": simdl.Sweep(  # the trials by which those rates are chosen
            base, two | {RATE: list(s.learning_rates)}, s.pilots, measure=fit
        ),
        "widths": simdl.Sweep(
            alike, {"width": list(s.widths), "task": tasks, "rate": [0.0, 0.2, 0.5, 0.8]}, few,
            measure=fit,
        ),
        "averages": simdl.Sweep(
            alike | {"rate": HALF}, {"task": tasks}, s.replicates, measure=sampled
        ),
        "masks": simdl.Sweep(
            {}, {"place": list(PLACES), "rate": [0.2, HALF]}, born, measure=every_mask
        ),
        "regression": simdl.Sweep(fitting, {"rate": list(FITS)}, born, measure=regression),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, rates, own = settings.level, results["rates"], results["own"]
    means, masks, fits = results["averages"], results["masks"], results["regression"]
    loss, accuracy = rates["test_loss"], rates["test_accuracy"]
    damage = rates["damage"].sel(removed=REMOVED)
    many, together = means.sel(subnetworks=SIZES[-1]), rates["correlation"].sel(task="clean")

    def change(found: xarray.DataArray, task: str) -> xarray.DataArray:
        each = found.sel(task=task)
        return each.sel(rate=HALF) - each.sel(rate=NONE)

    def ratio(found: xarray.DataArray, task: str) -> xarray.DataArray:
        each = found.sel(task=task)
        return each.sel(rate=HALF) / each.sel(rate=NONE)

    def above(values: xarray.DataArray, margin: float, log: bool = False) -> judges.Judgement:
        return judges.direction(np.ravel(values), margin, log=log, level=level)

    def below(values: xarray.DataArray, margin: float, log: bool = False) -> judges.Judgement:
        return judges.direction(np.ravel(values), margin, above=False, log=log, level=level)

    def agreed(task: str) -> judges.Judgement:
        found = (many["accuracy"] - many["scaled_accuracy"]).sel(task=task)
        return judges.equivalence(np.ravel(found), 0.0, SAME, absolute=True, level=level)

    def exact(place: str) -> judges.Judgement:
        return judges.exact(masks["geometric"].sel(place=place), 0.0, EXACT)

    single = (means["accuracy"].sel(subnetworks=1) - means["scaled_accuracy"]).sel(task="clean")
    averaged = many["loss"].sel(task="clean") / loss.sel(task="clean", rate=NONE)
    return [
        Claim("T30a-loss", below(ratio(loss, "noisy"), LOWER, log=True)),
        Claim("T30a-accuracy", above(change(accuracy, "noisy"), MORE_RIGHT)),
        Claim("T30a-tuned", above(change(own["test_accuracy"], "noisy"), 0.0)),
        Claim("T30b", below(ratio(loss, "clean"), 1.0, log=True)),
        Claim("T30c-clean", below(change(damage, "clean"), -SPARED)),
        Claim("T30c-noisy", below(change(damage, "noisy"), -SPARED)),
        Claim("P-dropout-tuned", below(ratio(own["test_loss"], "clean"), NOT_HIGHER, log=True)),
        Claim("P-dropout-correlation", above(
            together.sel(rate=HALF) / together.sel(rate=NONE), 1.0, log=True)),
        Claim("P-dropout-loss", judges.equivalence(
            np.ravel(fits["loss"].sel(rate=HALF)), 1.0, CLOSE, level=level)),
        Claim("P-dropout-weights-light", below(fits["distance"].sel(rate=0.2), CLOSE)),
        Claim("P-dropout-weights-half", below(fits["distance"].sel(rate=0.5), CLOSE)),
        Claim("P-dropout-weights-heavy", below(fits["distance"].sel(rate=0.8), CLOSE)),
        Claim("P-ensemble-linear", exact("linear")),
        Claim("P-ensemble-last", exact("last")),
        Claim("P-ensemble-inputs", above(
            masks["geometric"].sel(place="inputs", rate=HALF), APART, log=True)),
        Claim("P-ensemble-clean-accuracy", agreed("clean")),
        Claim("P-ensemble-noisy-accuracy", agreed("noisy")),
        Claim("P-ensemble-single", below(single, -WORSE)),
        Claim("P-ensemble-clean-loss", below(averaged, LOWER, log=True)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Errors by rate, by learning rate and by width; damage; averages; linear regression."""
    return {
        "rates": _rates(results["rates"]),
        "reliance": _reliance(results["rates"]),
        "learning_rates": _learning_rates(results["learning"], settings),
        "widths": _widths(results["widths"]),
        "averages": _averages(results),
        "regression": _regression(results["regression"]),
    }


def _rates(found: xarray.Dataset) -> Any:
    """Test loss and accuracy by the rate of dropout, next to those of the same seed without."""
    figure, axes = panels.grid(2, 2, (8.6, 5.8), sharex=True)
    loss, accuracy = found["test_loss"], found["test_accuracy"]
    rows: list[tuple[xarray.DataArray, float, dict[str, Any]]] = [
        (loss / loss.sel(rate=NONE), 1.0, {"log": True}),
        (100 * (accuracy - accuracy.sel(rate=NONE)), 0.0, {}),
    ]
    for column, (task, (colour, marker)) in enumerate(LOOKS.items()):
        for panel, (found_, even, kind) in zip(axes[:, column], rows, strict=True):
            values = found_.sel(task=task).transpose("seed", "rate")
            panels.band(panel, found["rate"], values, "mean", colour, marker=marker, **kind)
            panels.level(panel, even)
        axes[0][column].set_title(SHOWN[task])
        axes[1][column].set_xlabel("rate of dropout")
    axes[0][0].set(ylabel="test loss\n(without dropout = 1)", yscale="log")
    axes[0][0].set_yticks([0.3, 0.5, 0.7, 1.0, 1.5, 2.0], ["0.3", "0.5", "0.7", "1", "1.5", "2"])
    for panel in axes[0]:
        panel.minorticks_off()
    axes[1][0].set_ylabel("change of test accuracy (points)")
    worse: Any = {"fontsize": 8, "xycoords": "axes fraction"}
    axes[0][0].annotate("worse than without", (0.02, 0.95), va="top", **worse)
    axes[1][0].annotate("worse than without", (0.02, 0.04), **worse)
    said = f"all at one learning rate; bands: lowest to highest of {found.sizes['seed']} seeds"
    figure.supxlabel(said, fontsize=8.5)
    figure.suptitle("Dropout lowers the test loss with noisy labels and raises it with clean ones")
    return figure


def _reliance(found: xarray.Dataset) -> Any:
    """Test accuracy lost by the share of units taken away; correlation of units by rate."""
    figure, axes = panels.grid(1, 3, (10.4, 4), sharey=False)
    last, rates = axes[0][2], [rate for rate in (NONE, 0.2, HALF, 0.8) if rate in found["rate"]]
    for panel, (task, look) in zip(axes[0], LOOKS.items(), strict=False):
        for rate, colour, marker in zip(rates, style.COLOURS, style.MARKERS, strict=False):
            values = found["damage"].sel(task=task, rate=rate).transpose("seed", "removed")
            label, share = f"dropout {rate:g}" if rate else "without", 100 * found["removed"]
            panels.band(panel, share, values, label, colour, marker=marker)
        panel.set(xlabel="hidden units taken away (%)", title=SHOWN[task], ylim=(-0.03, 0.75))
        values = found["correlation"].sel(task=task).transpose("seed", "rate")
        panels.band(last, found["rate"], values, f"{task} labels", look[0], marker=look[1])
    axes[0][0].set_ylabel("test accuracy lost")
    axes[0][0].legend(loc="upper left")
    last.set(xlabel="rate of dropout", ylabel="mean |correlation| of two units", ylim=(0, None))
    last.set_title("though no less correlated")
    last.legend(loc="lower left")
    figure.supxlabel(f"bands: lowest to highest of {found.sizes['seed']} seeds", fontsize=8.5)
    figure.suptitle("With dropout units rely less on each other")
    return figure


def _learning_rates(found: xarray.Dataset, settings: Settings) -> Any:
    """Test loss against the learning rate, with dropout and without."""
    figure, axes = panels.grid(1, 2, (9, 4.2))
    for panel, task in zip(axes[0], TASKS, strict=True):
        for rate, label, colour, marker in (
            (NONE, "without", style.BLUE, "o"), (HALF, "dropout 0.5", style.RED, "s"),
        ):  # fmt: skip
            values = found["test_loss"].sel(task=task, rate=rate).transpose("seed", RATE)
            panels.band(panel, found[RATE], values, label, colour, marker=marker, log=True)
        panel.axvline(
            settings.lr, color=style.BLACK, linewidth=0.8, linestyle=":",
            label=f"of the other figures, {settings.lr:g}",
        )  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel="learning rate (Adam)", title=SHOWN[task])
        panel.minorticks_off()
    axes[0][0].set_ylabel(f"test loss after {settings.steps:,} steps (nats)")
    axes[0][0].set_yticks([0.5, 0.7, 1, 1.4, 2], ["0.5", "0.7", "1", "1.4", "2"])
    panels.legend(figure, axes[0][0], bands=found.sizes["seed"])
    figure.suptitle("Each at its best learning rate, dropout does no harm with clean labels either")
    return figure


def _widths(found: xarray.Dataset) -> Any:
    """Test loss and accuracy against the rate of dropout, a line a width."""
    figure, axes = panels.grid(2, 2, (8.6, 5.8), sharex=True)
    looks = list(zip(style.COLOURS, style.MARKERS, strict=True))
    for column, task in enumerate(TASKS):
        for width, (colour, marker) in zip(found["width"].values, looks, strict=False):
            for panel, name in zip(axes[:, column], ("test_loss", "test_accuracy"), strict=True):
                values = found[name].sel(task=task, width=width).transpose("seed", "rate")
                label = f"{width} units a layer"
                panels.band(panel, found["rate"], values, label, colour, marker=marker)
        axes[0][column].set_title(SHOWN[task])
        axes[1][column].set_xlabel("rate of dropout")
    axes[0][0].set_ylabel("test loss (nats)")
    axes[1][0].set_ylabel("test accuracy")
    panels.legend(figure, axes[0][0], bands=found.sizes["seed"])
    figure.suptitle("The wider the network, the more dropout it bears")
    return figure


def _averages(results: dict[str, xarray.Dataset]) -> Any:
    """How far weight scaling is from the mean of all sub-networks; errors by how many there are."""
    figure, axes = panels.grid(1, 3, (10.4, 4.2), sharey=False)
    left, middle, right = axes[0]
    masks, found, rates = results["masks"], results["averages"], results["rates"]
    at = np.arange(len(PLACES))
    for name, colour, marker, side in (
        ("geometric", style.GREEN, "^", -0.1), ("arithmetic", style.PURPLE, "D", 0.1),
    ):  # fmt: skip
        values = masks[name].sel(rate=HALF).transpose("place", "seed")
        lines = left.plot(at + side, values, color=colour, marker=marker, linestyle="none")
        lines[0].set_label(f"{name} mean")
    left.set(yscale="log", ylim=(1e-17, 3), title="all 256 sub-networks", xlim=(-0.5, 2.5))
    left.set_ylabel("largest difference of a probability\nfrom weight scaling's")
    left.set_xticks(at, PLACES.values())
    left.set_xlabel("what is dropped (rate 0.5)")
    left.legend(loc="center left")
    for task, (colour, marker) in LOOKS.items():
        for panel, name in ((middle, "loss"), (right, "accuracy")):
            values = found[name].sel(task=task).transpose("seed", "subnetworks")
            panels.band(panel, SIZES, values, f"{task} labels", colour, marker=marker)
            scaled, without = found[f"scaled_{name}"], rates[f"test_{name}"].sel(rate=NONE)
            for level, dash in ((scaled, "--"), (without, ":")):
                mean = float(level.sel(task=task).mean())
                panel.axhline(mean, color=colour, linestyle=dash, linewidth=1.2)
    for panel, title in ((middle, "test loss (nats)"), (right, "test accuracy")):
        panel.set(xscale="log", xlabel="sub-networks averaged (arithmetic)", title=title)
        panel.set_xticks(SIZES, [str(size) for size in SIZES])
        panel.minorticks_off()
    middle.legend(loc="upper right")
    figure.supxlabel(
        "dashed: weight scaling; dotted: trained without dropout; bands: lowest to highest of "
        f"{found.sizes['seed']} seeds", fontsize=8.5,
    )  # fmt: skip
    figure.suptitle(
        "Weight scaling is as accurate as the average of many sub-networks; its loss differs"
    )
    return figure


def _regression(found: xarray.Dataset) -> Any:
    """Length of the weights by rate, with theory; how far they are from theory and from others."""
    figure, axes = panels.grid(1, 2, (9, 4), sharey=False)
    left, right = axes[0]
    lengths, line = found["length"].transpose("seed", "rate"), np.linspace(0, 0.9, 46)
    panels.band(left, FITS, lengths, "trained", style.BLUE, marker="o", linestyle="none")
    drawn = [problem(SAMPLES, FEATURES, int(seed)) for seed in found["seed"]]
    sizes = [[np.linalg.norm(theory.weights(*xy, 1 - rate)) for rate in line] for xy in drawn]
    left.plot(line, np.mean([size / size[0] for size in np.array(sizes)], axis=0), **style.THEORY)
    left.set(xlabel="rate of dropout", ylim=(0, 1.05), title="dropout shortens the weights")
    left.set_ylabel("length of the weights\n(without dropout = 1)")
    for name, label, colour, marker in (
        ("plain", "least squares", style.RED, "s"),
        ("ridge", "plain ridge regression", style.ORANGE, "v"),
        ("distance", "dropout's closed form", style.BLUE, "o"),
    ):
        values = found[name].transpose("seed", "rate")
        panels.band(right, FITS, values, label, colour, marker=marker, log=True)
    panels.level(right, CLOSE, "2 %", above=True)
    right.set(yscale="log", xlabel="rate of dropout", ylabel="relative distance")
    right.set(title="how far the trained weights are from", ylim=(None, 100))
    right.legend(loc="upper left")
    panels.legend(figure, left, theory=True, bands=found.sizes["seed"])
    figure.suptitle("Linear regression: dropout is a ridge penalty, each column by its own scale")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
