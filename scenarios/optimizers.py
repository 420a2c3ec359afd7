"""What do momentum and rates that adapt themselves change about gradient descent?

Rates: what AdaGrad and RMSProp make of flat and steep coordinates, of gradients that drop and that
rise. A double well: who leaves the local minimum, at shared and at own rates. Paths on four
landscapes, digits at every rate, and closed forms: quadratics, Adam's counter-example.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.landscapes import LANDSCAPES
from simdl.scenario.particles import barrier, double_well
from simdl.scenario.steps import (
    AFTER,
    BEFORE,
    CURVATURES,
    change,
    coordinates,
    digits,
    escape,
    online,
    path,
    quadratic,
)
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import descent

QUESTION = "optimizers.question"

DRAWN = ("SGD", "momentum", "AdaGrad", "RMSProp", "Adam")
LOOK = dict(zip(DRAWN, zip(style.COLOURS, style.MARKERS, strict=False), strict=False))
ROLLING = {"Adam": "Adam", "RMSProp": "RMSProp", "corrected": "RMSProp, like Adam without momentum"}
DROP, RISE = 0.01, 100.0  # factors of the gradients' size
LARGE = 3.0  # C of Adam's counter-example
WALK = 100  # steps of a path


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "points": 150, "rates": (1e-2, 3e-2, 0.1, 0.3, 1.0), "steps": 150,
        "pilot_seeds": 2,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 32, "points": 4000, "steps": 1000}

    points: Annotated[int, Field(ge=10, description="points on the double well, each time")] = 500
    rolling: Annotated[int, Field(ge=1, description="their steps")] = 300
    well_rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over, on the double well")
    ] = (0.05, 0.1, 0.2, 0.4, 0.8)  # fmt: skip
    shared: Annotated[float, Field(gt=0, description="learning rate shared on the well")] = 0.2
    steps: Annotated[int, Field(ge=10, description="most training steps on digits")] = 400
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over, on digits")
    ] = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)  # fmt: skip
    pilot_seeds: Annotated[int, Field(ge=1, le=4, description="replicates of tuning")] = 4
    rounds: Annotated[
        int, Field(ge=1000, description="steps of Adam's counter-example")
    ] = 300_000  # fmt: skip


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured and what is trained."""
    s, claims, one = settings, settings.replicates, [settings.seed]
    pilots = s.pilots[: s.pilot_seeds]

    def measured(function: Any, base: Any, axes: Any, seeds: Any = claims) -> simdl.Sweep:
        return simdl.Sweep(base, axes, seeds, measure=function)

    well, budget = {"points": s.points, "steps": s.rolling}, {"steps": s.steps}
    own, adaptive = {"arm": ["Adam", "corrected"]}, {"optimizer": ["AdaGrad", "RMSProp"]}
    at_shared = {"optimizer": {"lr": s.shared}}
    shown = [*s.well_rates, 2 * s.well_rates[-1]]
    compared = {"C": LARGE, "steps": s.rounds}
    return {
        "coordinates": measured(coordinates, {}, {"optimizer": ["SGD", "AdaGrad", "RMSProp"]}),
        "change": measured(change, {}, adaptive | {"factor": [DROP, RISE]}),
        "quadratic": measured(quadratic, {}, {}),
        "online": measured(online, compared, {"optimizer": ["Adam", "AMSGrad", "SGD"]}, one),
        "escape": Tuned(well, own, s.well_rates, pilots, claims, measure=escape, score="loss"),
        "shared": measured(escape, well | at_shared, {"arm": list(ROLLING)}),
        "well": measured(escape, well, {"arm": list(ROLLING), RATE: shown}, pilots),
        "paths": measured(
            path, {"steps": WALK}, {"landscape": list(LANDSCAPES), "optimizer": list(DRAWN)}, one
        ),
        "digits": Tuned(
            budget, {"arm": list(DRAWN)}, s.rates, pilots, claims, measure=digits, score="cost"
        ),
        "survey": measured(digits, budget, {"arm": list(DRAWN), RATE: list(s.rates)}, pilots),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, adagrad = settings.level, {"optimizer": "AdaGrad"}
    changed, exactly, game = results["change"], results["quadratic"], results["online"]
    flat = results["coordinates"]["rate"].sel(adagrad).sel(curvature=CURVATURES[0])
    by_step = changed["rate"].sel(adagrad | {"factor": DROP}).transpose("seed", "step")
    plateau = by_step.isel(step=-1) / by_step.sel(step=BEFORE)
    past = by_step.sel(step=slice(1, BEFORE))
    recovered = changed["against"].sel(factor=DROP, since=AFTER)
    first = changed["against"].sel(factor=RISE, since=1)
    off = np.exp(np.abs(np.log(first)))  # by which factor, up or down
    left, own = results["shared"]["escaped"], results["escape"]["escaped"]
    regret = game["regret"].isel(step=-1)

    def direction(values: Any, margin: float, above: bool = True, log: bool = True) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, level=level)

    return [
        Claim("T19a", direction(flat, 2.0)),
        Claim("T19b", direction(plateau, 1.0)),
        Claim("T20a-rmsprop", direction(recovered.sel(optimizer="RMSProp"), 0.5)),
        Claim("T20a-adagrad", direction(recovered.sel(adagrad), 0.5, above=False)),
        Claim("T20b-first", direction(off.sel(adagrad), 2.0)),
        Claim("T20b-slower", direction(off.sel(adagrad) / off.sel(optimizer="RMSProp"), 1.0)),
        Claim("T21a", direction(left.sel(arm="Adam") - left.sel(arm="RMSProp"), 0.0, log=False)),
        Claim("T21b-own", direction(
            own.sel(arm="Adam") - own.sel(arm="corrected"), 0.1, log=False)),
        Claim("T21b-shared", direction(
            left.sel(arm="Adam") - left.sel(arm="corrected"), 0.1, log=False)),
        Claim("P-adagrad-rate", judges.trend(
            np.log(past["step"].values), np.log(past.values),
            reference=-0.5, tolerance=0.01, absolute=True, level=level)),
        Claim("P-descent-rate", equals(exactly["plain"], descent.contraction(100), 0.01)),
        Claim("P-heavy-ball", equals(exactly["heavy"], descent.heavy_ball_contraction(100), 0.01)),
        Claim("P-largest-rate-momentum", equals(
            exactly["edge"], descent.largest_rate(1, 0.9), 0.01)),
        Claim("P-first-step", judges.exact(exactly["first"], 0.0, 1e-6)),
        Claim("P-adam-caught", judges.exact(game["off"].sel(optimizer="Adam"), 0.0, 1e-12)),
        Claim("P-adam-regret", judges.exact(
            regret.sel(optimizer="Adam"), descent.adam_regret(LARGE), 0.005)),
        Claim("P-amsgrad-regret", judges.exact(
            regret.sel(optimizer=["AMSGrad", "SGD"]), 0.0, 0.005)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Paths, rates, escapes, digits and closed forms."""
    return {
        "paths": _paths(results["paths"].squeeze("seed")),
        "rates": _rates(results["coordinates"]["rate"], results["change"]),
        "escape": _escape(results, settings),
        "digits": _digits(results, settings),
        "theory": _theory(results["quadratic"], results["online"].squeeze("seed")),
    }


def _line(name: str, **more: Any) -> dict[str, Any]:
    """Arguments of `panels.band` that every figure gives an optimizer."""
    colour, marker = LOOK[name]
    return {"label": name, "colour": colour, "marker": marker} | more


def _paths(found: xarray.Dataset) -> Any:
    """Five paths on each of four landscapes, over lines of equal height."""
    figure, axes = panels.grid(2, 2, (8.6, 6.8), sharey=False)
    for panel, (name, ground) in zip(axes.flat, LANDSCAPES.items(), strict=True):
        left, right, bottom, top = ground.box
        x, y = np.meshgrid(np.linspace(left, right, 80), np.linspace(bottom, top, 80))
        height = ground.value(np.stack([x, y], axis=-1))
        levels = np.quantile(height, np.linspace(0.01, 0.9, 10) ** 1.5)
        panel.contour(x, y, height, levels, colors="0.8", linewidths=0.7)
        for optimizer in DRAWN:
            walked = (
                found["path"].sel(landscape=name, optimizer=optimizer).transpose("step", "axis")
            )
            colour, marker = LOOK[optimizer]
            mark = {"marker": marker, "markevery": 5, "markersize": 4, "linewidth": 1.2}
            mark["linestyle"] = "--" if optimizer == "RMSProp" else "-"  # it may lie on AdaGrad's
            panel.plot(*walked.values.T, color=colour, label=optimizer, **mark)
        panel.plot(*ground.start, "o", color=style.BLACK, markersize=5, zorder=5)
        if ground.minimum is not None:
            panel.plot(*ground.minimum, "*", color=style.BLACK, markersize=10, zorder=5)
        panel.set(xlim=(left, right), ylim=(bottom, top), title=name, xlabel="x", ylabel="y")
        panel.grid(False)
    panels.legend(figure, axes[0, 0])
    figure.suptitle(f"No path is best everywhere: {WALK} steps, each optimizer at its best rate")
    return figure


def _rates(by_curvature: xarray.DataArray, changed: xarray.Dataset) -> Any:
    """Rates by curvature and by step; against those of an optimizer without the past."""
    figure, axes = panels.grid(2, 2, (8.6, 6.2), sharey=False)
    (steep, drop), (fallen, risen) = axes
    for name in ("SGD", "AdaGrad", "RMSProp"):
        found = by_curvature.sel(optimizer=name).transpose("seed", "curvature")
        panels.band(steep, CURVATURES, found, log=True, **_line(name))
    steep.plot(CURVATURES, CURVATURES[-1] / CURVATURES, **style.THEORY)
    for name in ("AdaGrad", "RMSProp"):
        own, mark = changed.sel(optimizer=name), _line(name, log=True, markevery=6)
        by_step = own["rate"].sel(factor=DROP).transpose("seed", "step")
        panels.band(drop, own["step"], by_step, **mark)
        for panel, factor in ((fallen, DROP), (risen, RISE)):
            panels.band(
                panel, own["since"], own["against"].sel(factor=factor).transpose("seed", "since"),
                **mark,
            )  # fmt: skip
    past = np.array([1, BEFORE])
    drop.plot(past, past**-0.5, **style.THEORY)
    drop.axvline(BEFORE, color=style.BLACK, linewidth=0.8, linestyle=":")
    drop.annotate("gradients\ndrop to 1 %", (BEFORE * 0.9, 25), ha="right", fontsize=8.5)
    for panel in (fallen, risen):
        panel.axhspan(0.5, 2, color=style.BLACK, alpha=0.07, linewidth=0)
        panels.level(panel, 1)
        panel.annotate("within a factor 2", (1.1, 0.53), fontsize=8.5)
    for panel in axes.flat:
        panel.set(xscale="log", yscale="log")
        panel.minorticks_off()
    steep.set(
        xlabel="curvature of the coordinate", ylabel="rate / that of the steepest",
        title="flat coordinates get longer steps",
    )  # fmt: skip
    drop.set(xlabel="step", ylabel="rate", title="on a plateau AdaGrad's rate stays")
    fallen.set(
        xlabel="steps since gradients dropped to 1 %", ylabel="rate / rate without the past",
        title="after a drop: RMSProp recovers",
    )  # fmt: skip
    risen.set(
        xlabel="steps since gradients rose 100-fold", ylabel="rate / rate without the past",
        title="after a rise: AdaGrad is at once there", ylim=(0.3, 20),
    )  # fmt: skip
    panels.legend(figure, steep, theory=True, bands=changed.sizes["seed"])
    figure.suptitle("AdaGrad never forgets: that hurts when gradients drop, not when they rise")
    return figure


def _escape(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """The double well, and the share of points that leave its local minimum, against the rate."""
    figure, axes = panels.grid(1, 2, (8.8, 3.7), sharey=False)
    well, shares = axes[0]
    x = np.linspace(-1.7, 2.5, 200)
    well.plot(x, double_well(x), color=style.BLACK)
    well.axvspan(1.5, 2.5, color=style.BLACK, alpha=0.1, linewidth=0)
    well.annotate("starts", (2.0, 0.05), ha="center", fontsize=8.5)
    well.annotate("local\nminimum", (0.95, 0.55), ha="center", fontsize=8.5)
    well.annotate("global\nminimum", (-1.05, 0.35), ha="center", fontsize=8.5)
    well.axvline(barrier(), color=style.BLACK, linewidth=0.8, linestyle=":")
    well.annotate("barrier", (barrier() - 0.06, 1.3), ha="right", fontsize=8.5)
    well.set(xlabel="x", ylabel="V(x)", ylim=(-0.3, 1.5), title="a ball rolls down")
    rates = results["well"][RATE].values
    for i, (arm, label) in enumerate(ROLLING.items()):
        found = results["well"]["escaped"].sel(arm=arm).transpose("seed", RATE)
        colour = LOOK[arm][0] if arm in LOOK else style.SKY
        panels.band(shares, rates, found, label, colour, marker=style.MARKERS[i])
        if arm in results["escape"]["arm"]:
            own = results["escape"].sel(arm=arm)
            shares.plot(float(own[RATE]), float(own["escaped"].mean()), "o", **_ring(colour))
    shares.axvline(settings.shared, color=style.BLACK, linewidth=0.8, linestyle=":")
    shares.set(xscale="log", xlabel="learning rate", ylabel="share that crosses", ylim=(-0.04, 1.1))
    shares.set_xticks(rates, [f"{rate:g}" for rate in rates])
    shares.minorticks_off()
    shares.set_title(f"who leaves, within {settings.rolling} steps")
    panels.legend(figure, shares, bands=results["well"].sizes["seed"])
    figure.suptitle(
        "At one rate RMSProp leaves more often than Adam; like for like, momentum helps (rings)"
    )
    return figure


def _ring(colour: str) -> dict[str, Any]:
    """Looks of the mark at an optimizer's own rate."""
    return {
        "color": colour, "markerfacecolor": "white", "markersize": 9, "markeredgewidth": 2,
        "zorder": 6,
    }  # fmt: skip


def _digits(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Steps to the target against the rate; rings at each optimizer's own."""
    figure, axes = panels.grid(1, 1, (8.6, 4.4))
    (panel,) = axes[0]
    tuned, survey = results["digits"], results["survey"]
    for name in DRAWN:
        found = survey["steps"].sel(arm=name).transpose("seed", RATE)
        panels.band(panel, survey[RATE], found, log=True, **_line(name))
    for name in DRAWN:
        own = tuned.sel(arm=name)
        steps = float(np.exp(own["cost"].mean()))
        panel.plot(float(own[RATE]), steps, "o", **_ring(LOOK[name][0]))
    panels.level(panel, settings.steps)
    panel.annotate("not reached within the budget", (1e-2, settings.steps * 1.06), fontsize=8.5)
    panel.set(
        xscale="log", yscale="log", xlabel="learning rate",
        ylabel="steps to a validation loss of 0.3 nats", ylim=(8, 1.5 * settings.steps),
    )  # fmt: skip
    panel.set_yticks([10, 20, 50, 100, 200, 400], ["10", "20", "50", "100", "200", "400"])
    panel.minorticks_off()
    panels.legend(figure, panel, bands=survey.sizes["seed"])
    figure.suptitle(
        "On digits each optimizer has a rate (rings) at which it is about as fast as the others"
    )
    return figure


def _theory(quadratic: xarray.Dataset, game: xarray.Dataset) -> Any:
    """Distances on a quadratic, and mean regret in Adam's counter-example."""
    figure, axes = panels.grid(1, 2, (8.6, 3.7), sharey=False)
    left, right = axes[0]
    step = quadratic["step"].values
    for name, key in (("SGD", "plain_path"), ("momentum", "heavy_path")):
        found = quadratic[key].transpose("seed", "step")
        panels.band(left, step, found, log=True, **_line(name, markevery=15))
        end = float(np.exp(np.log(found.isel(step=-1)).mean()))
        factor = descent.contraction(100) if name == "SGD" else descent.heavy_ball_contraction(100)
        shape = factor**step * (step if name == "momentum" else 1)
        left.plot(step[1:], shape[1:] * end / shape[-1], **style.THEORY)
    left.set(
        yscale="log", xlabel="step", ylabel="distance / distance at the start",
        title="quadratic, condition 100",
    )  # fmt: skip
    left.minorticks_off()
    for i, name in enumerate(("Adam", "AMSGrad", "SGD")):
        found = game["regret"].sel(optimizer=name)
        colour = style.COLOURS[(4, 5, 0)[i]]
        mark = {"marker": style.MARKERS[(4, 5, 0)[i]], "markevery": 8}
        right.plot(game["regret"]["step"], found, color=colour, label=name, **mark)
    for reference in (descent.adam_regret(LARGE), 0.0):
        right.axhline(reference, **style.THEORY)
    right.set(
        xscale="log", xlabel="step", ylabel="mean regret", ylim=(-0.2, 2.2),
        title="Adam's counter-example, C = 3",
    )  # fmt: skip
    right.minorticks_off()
    left.legend()
    right.legend()
    figure.suptitle("Momentum takes a tenth of the steps; Adam may never arrive (dashed: theory)")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
