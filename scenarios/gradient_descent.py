"""What do batches of one, of a few or of all samples change about gradient descent?

Digits: what each batch size costs until a loss is reached, at its own tuned rate. Convex and
non-convex losses: what descent on all samples finds. Noise: how large it is, what it does around a
minimum, and whether it lets descent out of a local one.
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
from simdl.scenario.batches import (
    COMPARED,
    DRAWN,
    FACTORS,
    POPULATION,
    convex,
    curve,
    gradients,
    noise_scale,
    race,
    stationary,
    well,
    xor,
)
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import descent

QUESTION = "gradient_descent.question"

NAMES = {1: "SGD (1)", 16: "MBGD (16)", "full": "BGD (all)"}
ARMS = "batch,optimizer.lr"
BELOW, ABOVE = FACTORS[:8], FACTORS[8:]
SOLVED = 1e-6  # of the first excess over the minimum
GLOBAL = 0.05  # nats: XOR is solved, local minima lie at .35
NOISY = (0.1, 0.5, 1.0, 1.5)  # rates of the noisy parabola
WELL_RATES, JUDGED_RATE = (0.02, 0.05, 0.1, 0.2), 0.05


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "starts": 128, "curve_seeds": 1, "points": 500, "sizes": (128, 256, 512),
        "rates": (0.03, 0.1, 1.0, 3.0, 10.0), "pilot_seeds": 1,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 32, "starts": 2000, "points": 4000}

    target: Annotated[float, Field(gt=0, description="loss to reach, nats")] = 0.2
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (SGD)")
    ] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # fmt: skip
    sizes: Annotated[
        tuple[int, ...], Field(min_length=2, description="training samples N of the cost against N")
    ] = (128, 256, 512, 1024)  # fmt: skip

    @field_validator("sizes")
    @classmethod
    def _are_copies(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 16 or size % sizes[0] for size in sizes):
            raise ValueError("must be 16 or more, and multiples of the first")
        return sizes

    pilot_seeds: Annotated[int, Field(ge=1, le=4, description="replicates of tuning")] = 4
    curve_seeds: Annotated[int, Field(ge=1, le=4, description="replicates of the curves")] = 3
    starts: Annotated[int, Field(ge=32, description="starting points of XOR")] = 512
    points: Annotated[int, Field(ge=10, description="points on a landscape in a replicate")] = 2000


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is trained and what is measured."""
    s, claims = settings, settings.replicates
    pilots = s.pilots[: s.pilot_seeds]
    base = {"samples": POPULATION, "target": s.target}
    arms = {"batch": list(NAMES)}

    def measured(function: Any, base: Any, axes: Any, seeds: Any = claims) -> simdl.Sweep:
        return simdl.Sweep(base, axes, seeds, measure=function)

    copies = [size // s.sizes[0] for size in s.sizes]
    few = {"target": s.target, "samples": s.sizes[0]}
    rates = {ARMS: [[1, 0.03], ["full", 1.0]]}
    shown = {ARMS: [[1, 0.1], [16, 1.0], ["full", 3.0]]}
    return {
        "race": Tuned(base, arms, s.rates, pilots, claims, measure=race, score="cost"),
        "by_rate": measured(race, base, arms | {RATE: list(s.rates)}, pilots),
        "by_size": measured(race, few, rates | {"copies": copies}),
        "curves": measured(curve, {}, shown, s.pilots[: s.curve_seeds]),
        "gradients": measured(gradients, {}, {}),
        "scale": measured(noise_scale, {}, {}),
        "convex": measured(convex, {}, {}),
        "xor": measured(
            xor, {}, {}, [s.seed + i for i in range(s.starts)]
        ),
        "well": measured(well, {"points": s.points // 5}, {"lr": list(WELL_RATES)}),
        "stationary": measured(
            stationary, {"points": s.points, "steps": 400},
            {"momentum": [0.0, 0.5], "lr": list(NOISY)},
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level = settings.level
    raced, drawn, ridge = results["race"], results["gradients"], results["convex"]
    sgd, bgd = raced.isel(batch=0), raced.isel(batch=2)
    wells = results["well"]["caught"].sel(lr=JUDGED_RATE)
    quiet = results["stationary"]["variance"].sel(lr=0.5)

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, level=level)

    def power_of(x: Any, values: Any, reference: float, tolerance: float) -> Any:
        return judges.trend(
            np.log(x), np.log(np.asarray(values)),
            reference=reference, tolerance=tolerance, absolute=True, level=level,
        )  # fmt: skip

    sizes = results["by_size"]["copies"].values
    costs = results["by_size"]["samples"].isel({ARMS: 1})
    variance = {name: drawn[name].transpose("seed", "drawn").values for name in ("with", "without")}
    batches = drawn["drawn"].values
    less = np.array([descent.batch_variance(1.0, b, COMPARED) for b in batches])
    alone = (variance["with"] * batches).mean(axis=1), (variance["without"] / less).mean(axis=1)
    solved = int((results["xor"]["loss"] < GLOBAL).sum())
    shrunk, grown = (ridge["excess"].sel(factor=list(f)) for f in (BELOW, ABOVE))
    return [
        Claim("T14", judges.exact(drawn["difference"], 0.0, 1e-12)),
        Claim("T15a", judges.proportion_direction(solved, settings.starts, 0.95, level=level)),
        Claim("T15b", direction(shrunk.max("factor"), SOLVED, above=False, log=True)),
        Claim("T15c", direction(grown.min("factor"), SOLVED, above=False, log=True)),
        Claim("T16", power_of(sizes, costs.transpose("seed", "copies"), 1.0, 0.1)),
        Claim("T17a", direction(sgd["steps"] / bgd["steps"], 2.0, log=True)),
        Claim("T17b", direction(sgd["samples"] / bgd["samples"], 1.0, log=True)),
        Claim("T17c", direction(wells.isel(batch=0) - wells.isel(batch=2), 0.05)),
        Claim("T18", power_of(batches, variance["with"], -1.0, 0.05)),
        Claim("P-batch-variance", equals(alone[0], 1.0, 0.05)),
        Claim("P-without-replacement", equals(alone[1], 1.0, 0.05)),
        Claim("P-noise-scale", judges.exact(results["scale"]["ratio"], 1.0, 1e-9)),
        Claim("P-largest-rate", equals(ridge["edge"], descent.largest_rate(1.0), 0.01)),
        Claim("P-stationary", equals(
            quiet.sel(momentum=0.0), descent.stationary_variance(0.5, 1, 1), 0.02)),
        Claim("P-stationary-momentum", equals(
            quiet.sel(momentum=0.5), descent.stationary_variance(0.5, 1, 1, 0.5), 0.02)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """What each batch size costs, what descent finds, what noise does."""
    return {
        "race": _race(results["curves"], settings.target),
        "cost": _cost(results["by_rate"], results["by_size"], settings.sizes),
        "optimum": _optimum(results["convex"], results["xor"], results["well"]),
        "noise": _noise(results["gradients"], results["stationary"]),
    }


def _race(curves: xarray.Dataset, target: float) -> Any:
    """Training loss against epochs, samples, steps and seconds, a line a batch size."""
    figure, axes = panels.grid(1, 3, (10, 3.6))
    seen = curves["seen"].values
    for i, (batch, name) in enumerate(NAMES.items()):
        found = curves.isel({ARMS: i})
        loss = found["loss"].transpose("seed", "seen").values
        size = POPULATION if batch == "full" else int(batch)
        steps = np.where(seen >= size, seen / size, np.nan)  # before its first step: nothing
        seconds = float(found["seconds"].median())
        for panel, at in zip(axes[0], (seen / POPULATION, steps, steps * seconds), strict=True):
            known = ~np.isnan(at)
            mark = {"marker": style.MARKERS[i], "markevery": (i, 5)}
            panels.band(panel, at[known], loss[:, known], name, style.COLOURS[i], log=True, **mark)
    for panel, unit in zip(
        axes[0], ("epochs (samples / 1,024)", "steps", "seconds, on this machine"), strict=True
    ):
        panel.set(xscale="log", yscale="log", xlabel=unit)
        panel.minorticks_off()  # thousands of them take longer than the rest
        panels.level(panel, target, "target" if panel is axes[0, 0] else "")
    axes[0, 0].set_ylabel("training loss (nats)")
    panels.legend(figure, axes[0, 0], bands=curves.sizes["seed"])
    figure.suptitle("SGD needs the most steps, BGD the most samples, mini-batches the least time")
    return figure


def _cost(by_rate: xarray.Dataset, by_size: xarray.Dataset, sizes: Any) -> Any:
    """Samples to the target: against the rate, a line a batch size, and against N."""
    figure, axes = panels.grid(1, 2, (8.4, 3.8))
    left, right = axes[0]
    for i, name in enumerate(NAMES.values()):
        found = by_rate.isel(batch=i)["samples"].transpose("seed", RATE)
        panels.band(
            left, by_rate[RATE], found, name, style.COLOURS[i], log=True, marker=style.MARKERS[i]
        )
    for arm, i in ((0, 0), (1, 2)):
        found = by_size["samples"].isel({ARMS: arm}).transpose("seed", "copies")
        line = {"log": True, "marker": style.MARKERS[i]}
        panels.band(right, sizes, found, list(NAMES.values())[i], style.COLOURS[i], **line)
    scaled = float(found.values[:, 0].mean()) * np.array(sizes) / sizes[0]
    right.plot(sizes, scaled, **style.THEORY)
    left.set(xscale="log", yscale="log", xlabel="learning rate", title="at every rate")
    right.set(xscale="log", yscale="log", xlabel="training samples N", title="against N")
    right.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    right.minorticks_off()
    left.set_ylabel("samples until the target loss")
    panels.legend(figure, left, theory=True, bands=by_rate.sizes["seed"])
    figure.suptitle("Batch descent pays for all N samples at every step")
    return figure


def _optimum(convex: xarray.Dataset, xor: xarray.Dataset, well: xarray.Dataset) -> Any:
    """Excess loss against the rate, where XOR ends, and who stays in the local minimum."""
    figure, axes = panels.grid(1, 3, (10, 3.7), sharey=False)
    ridge, ends, wells = axes[0]
    excess = convex["excess"].transpose("seed", "factor")
    panels.band(ridge, FACTORS, excess, "BGD", style.COLOURS[2], log=True, marker=style.MARKERS[2])
    ridge.axvline(descent.largest_rate(1.0), **style.THEORY)
    ridge.axhline(SOLVED, color=style.BLACK, linewidth=0.8, linestyle=":")
    ridge.annotate("2 / L", (1.96, 1e-12), fontsize=8, ha="right")
    ridge.set(
        yscale="log", xlabel="learning rate x L", ylabel="excess loss, end / start",
        title="convex: below 2 / L",
    )  # fmt: skip
    loss = xor["loss"].values.ravel()
    ends.hist(loss, bins=np.linspace(0, 0.72, 25), color=style.COLOURS[2])
    caught = float(np.mean(loss >= GLOBAL))
    ends.annotate(
        f"{caught:.0%} of the starts\nend elsewhere", (0.3, 0.55), xycoords="axes fraction"
    )
    ends.set(xlabel="loss at the end (nats)", ylabel="starts", title="XOR: not always")
    for i, name in enumerate(NAMES.values()):
        found = well["caught"].isel(batch=i).transpose("seed", "lr")
        panels.band(
            wells, WELL_RATES, found, name, style.COLOURS[i], marker=style.MARKERS[i],
            linestyle=("-", "-", "--")[i],
        )  # fmt: skip
    wells.set(
        xscale="log", xlabel="learning rate", ylabel="share in the local minimum", ylim=(0, 0.7),
        title="double well: SGD leaves",
    )  # fmt: skip
    wells.set_xticks(WELL_RATES, [f"{rate:g}" for rate in WELL_RATES])
    wells.minorticks_off()
    panels.legend(figure, wells, bands=well.sizes["seed"], theory=True)
    figure.suptitle("Which minimum descent finds depends on the loss, the rate and the noise")
    return figure


def _noise(drawn: xarray.Dataset, stationary: xarray.Dataset) -> Any:
    """Variance of a batch's gradient against its size; of w around a minimum against the rate."""
    figure, axes = panels.grid(1, 2, (8.4, 3.8), sharey=False)
    left, right = axes[0]
    fine = np.arange(1, 129)
    for i, (name, samples) in enumerate((("with", None), ("without", COMPARED))):
        found = drawn[name].transpose("seed", "drawn")
        line = {"log": True, "marker": style.MARKERS[i], "linestyle": ""}
        panels.band(left, DRAWN, found, f"{name} replacement", style.COLOURS[i], **line)
        left.plot(fine, [descent.batch_variance(1, b, samples) for b in fine], **style.THEORY)
    left.set(
        xscale="log", yscale="log", xlabel="batch size b", ylabel="gradient variance (b = 1: 1)"
    )
    left.set_xticks(DRAWN, [str(b) for b in DRAWN])
    left.minorticks_off()
    rates = np.linspace(0.05, 1.6, 60)
    for i, momentum in enumerate(stationary["momentum"].values):
        found = stationary["variance"].isel(momentum=i).transpose("seed", "lr")
        label = f"momentum {momentum:g}" if momentum else "no momentum"
        line = {"log": True, "marker": style.MARKERS[i + 2], "linestyle": ""}
        panels.band(right, NOISY, found, label, style.COLOURS[i + 2], **line)
        theory = [descent.stationary_variance(lr, 1, 1, momentum) for lr in rates]
        right.plot(rates, theory, **style.THEORY)
    right.set(yscale="log", xlabel="learning rate x curvature", ylabel="variance of w at the end")
    left.legend()
    right.legend()
    left.set_title("a larger batch: steadier, as s² / b")
    right.set_title("a larger rate: further from the minimum")
    figure.suptitle("Noise falls with the batch and is amplified by the rate (dashed: theory)")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
