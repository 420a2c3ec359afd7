"""What does an activation function add that depth alone does not?

Four sets of points in the plane, which a linear network, a deep linear one and one with a single
hidden layer of ReLUs learn to tell apart. XOR's four points. Labellings of random points: how many
are separable, after Cover, and how many does each network learn? And all Boolean functions of two
and three inputs.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.separation import (
    NETS,
    TOYS,
    boolean,
    collapsed,
    dichotomies,
    hidden_units,
    toy,
    trained_dichotomies,
    xor,
)
from simdl.theory import separability

QUESTION = "nonlinearity.question"

LINEAR, DEEP, HIDDEN = NETS
SHOWN = {"xor": "XOR", "circles": "circles", "moons": "moons", "spirals": "spirals"}
DIMENSION = 3  # of the points that are labelled
HALF = 2 * DIMENSION  # points of which half of the labellings are separable
RAISED = HALF + 2  # the same with a bias, which counts as a dimension more
MANY = 3 * DIMENSION
SAME = 0.02  # losses, in nats, that differ by less are the same
APART = 0.95  # accuracy of what is separated


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "counted": 4, "steps": 800, "tries": 256, "units": (2, 4), "trained": (6, 10),
        "label_steps": 1000,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "counted": 64, "tries": 2048}

    seeds: Annotated[int, Field(ge=2, description="replicates of the trainings")] = 32
    counted: Annotated[
        int, Field(ge=2, description="replicates of labellings, truth tables and XOR")
    ] = 16  # fmt: skip
    width: Annotated[int, Field(ge=4, description="units a hidden layer")] = 64
    steps: Annotated[int, Field(ge=10, description="training steps, batches of 128")] = 1500
    points: Annotated[
        tuple[int, ...], Field(description="how many points are labelled, in the figure")
    ] = (2, 3, 4, 5, 6, 7, 8, 9, 10)  # fmt: skip
    trained: Annotated[
        tuple[int, ...], Field(description="of these, how many networks learn to label")
    ] = (4, 6, 8, 10, 12)  # fmt: skip
    tries: Annotated[
        int, Field(ge=8, description="labellings of a set of points: all, or that many drawn")
    ] = 512  # fmt: skip
    label_steps: Annotated[
        int, Field(ge=10, description="training steps on labellings and truth tables")
    ] = 1500  # fmt: skip
    units: Annotated[
        tuple[int, ...], Field(description="hidden ReLUs that learn XOR, in the figure")
    ] = (2, 3, 4, 6, 8, 16)  # fmt: skip


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """What is measured and trained."""
    s, one = settings, [settings.seed]
    few = s.replicates[: s.counted]

    def measured(function: Any, base: Any, axes: Any, seeds: Any) -> simdl.Sweep:
        return simdl.Sweep(base, axes, seeds, measure=function)

    drawn = {"width": s.width, "steps": s.steps}
    both = {"data": list(TOYS), "net": list(NETS)}
    points = sorted({*s.points, HALF, RAISED, MANY})
    counted = {"dimension": DIMENSION, "points": points, "tries": s.tries}
    labelled = {"dimension": DIMENSION, "width": s.width, "steps": s.label_steps, "tries": 128}
    learned = {"net": list(NETS), "points": sorted({*s.trained, RAISED})}
    return {
        "toys": measured(toy, drawn | {"map": False}, both, s.replicates),
        "maps": measured(toy, drawn | {"map": True}, both, one),
        "collapsed": measured(collapsed, {"width": s.width}, {}, few),
        "dichotomies": measured(dichotomies, counted, {"bias": [False, True]}, few),
        "learned": measured(trained_dichotomies, labelled, learned, few),
        "boolean": measured(boolean, {"width": s.width, "steps": s.label_steps}, {}, few[:4]),
        "xor": measured(xor, {"steps": 2000}, {}, few),
        "units": measured(
            hidden_units, {"nets": 8, "steps": s.label_steps}, {"units": list(s.units)}, few
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, accuracy = settings.level, results["toys"]["accuracy"]
    share, tables, best = results["dichotomies"]["share"], results["boolean"], results["xor"]
    learned = results["learned"].sel(points=RAISED)

    def equals(values: Any, reference: float, tolerance: float) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, True, level=level)

    def as_linear(data: str) -> Any:
        """Deep linear networks reach the loss of linear ones."""
        own = results["toys"]["loss"].sel(data=data)
        return equals(own.sel(net=DEEP) - own.sel(net=LINEAR), 0.0, SAME)

    def apart(data: str) -> Any:
        own = accuracy.sel(data=data, net=HIDDEN)
        return judges.direction(np.ravel(own), APART, level=level)

    def cover(points: int, bias: bool) -> Any:
        theory = separability.separable_share(points, DIMENSION, bias)
        return equals(share.sel(points=points, bias=bias), theory, 0.05)

    def count(net: str) -> Any:
        return tables["learned"].sel(net=net).transpose("seed", "inputs").values

    threshold = [separability.THRESHOLD_FUNCTIONS[n] for n in (2, 3)]
    deep, hidden = (learned["share"].sel(net=net) for net in (DEEP, HIDDEN))
    return [
        Claim("T01a-xor", as_linear("xor")),
        Claim("T01a-circles", as_linear("circles")),
        Claim("T01a-moons", as_linear("moons")),
        Claim("T01a-spirals", as_linear("spirals")),
        Claim("T01a-one_layer", judges.exact(results["collapsed"]["difference"], 0.0, 1e-12)),
        Claim("T01a-boolean", judges.exact(count(DEEP), threshold, 0)),
        Claim("T01b-xor", apart("xor")),
        Claim("T01b-circles", apart("circles")),
        Claim("T01b-moons", apart("moons")),
        Claim("T01b-spirals", apart("spirals")),
        Claim("T01b-labellings", judges.direction(np.ravel(hidden), APART, level=level)),
        Claim("T01b-boolean", judges.exact(count(HIDDEN), [2**4, 2**8], 0)),
        Claim("P-xor-mse", judges.exact(best["outputs"], 0.5, 1e-6)),
        Claim("P-xor-entropy", judges.exact(best["loss"], math.log(2), 1e-6)),
        Claim("P-xor-accuracy", judges.exact(best["accuracy"], 0.75, 1e-6)),
        Claim("P-xor-solved", judges.exact(best["solution"], 0.0, 1e-6)),
        Claim("P-cover", cover(MANY, False)),
        Claim("P-cover-bias", cover(RAISED, True)),
        Claim("P-cover-half", cover(HALF, False)),
        Claim("P-cover-deep", equals(
            deep, separability.separable_share(RAISED, DIMENSION, True), 0.05)),
        Claim("P-boolean", judges.exact(
            tables["separable"].transpose("seed", "inputs"), threshold, 0)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Boundaries, labellings, and the smallest problems."""
    return {
        "boundaries": _boundaries(results["maps"].squeeze("seed"), results["toys"]["accuracy"]),
        "labellings": _labellings(results, settings),
        "smallest": _smallest(results, settings),
    }


def _boundaries(maps: xarray.Dataset, accuracy: xarray.DataArray) -> Any:
    """Odds over the plane with samples, a column a data set, a row a network."""
    figure, axes = panels.grid(len(NETS), len(TOYS), (9, 7), sharex=True, sharey=True)
    for i, (row, net) in enumerate(zip(axes, NETS, strict=True)):
        for panel, data in zip(row, TOYS, strict=True):
            own = maps.sel(data=data, net=net)
            image = panel.contourf(
                own["x"], own["y"], own["odds"].transpose("y", "x"), np.linspace(0, 1, 11),
                cmap="cividis", alpha=0.75,
            )  # fmt: skip
            x, labels = own["points"].transpose("sample", "axis").values, own["labels"].values
            for label, marker, colour in ((0, "o", style.BLUE), (1, "^", style.YELLOW)):
                panel.plot(*x[labels == label].T, marker, color=colour, markersize=3.2,
                           markeredgecolor=style.BLACK, markeredgewidth=0.4)  # fmt: skip
            reached = float(accuracy.sel(data=data, net=net).mean())
            name = "" if i else f"{SHOWN[data]}: "
            panel.set_title(f"{name}{100 * reached:.0f} %")
            panel.grid(False)
            panel.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    for row, net in zip(axes, NETS, strict=True):
        row[0].set_ylabel(f"{net}\nx2 (standardised)")
    for panel in axes[-1]:
        panel.set_xlabel("x1 (standardised)")
    bar = figure.colorbar(image, ax=axes, shrink=0.5)
    bar.set_label("odds of the triangles")
    figure.suptitle("Depth without activations draws straight lines; one ReLU layer bends them "
                    "(test accuracy)")  # fmt: skip
    return figure


def _labellings(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Share of labellings that are separable, and that networks learn, against the points."""
    figure, axes = panels.grid(1, 2, (9, 4.2))
    left, right = axes[0]
    share, learned = results["dichotomies"]["share"], results["learned"]["share"]
    for i, (bias, label) in enumerate(((False, "through 0"), (True, "with a bias"))):
        own = share.sel(bias=bias).transpose("seed", "points")
        panels.band(left, own["points"], own, f"hyperplane {label}", style.COLOURS[3 + i],
                    marker=style.MARKERS[3 + i], linestyle="none")  # fmt: skip
    for i, net in enumerate(NETS):
        own = learned.sel(net=net).transpose("seed", "points")
        mark = {"marker": style.MARKERS[i], "linestyle": "none" if net == DEEP else "-"}
        mark |= {"markersize": 7, "markerfacecolor": "none"} if net == DEEP else {}
        panels.band(right, own["points"], own, net, style.COLOURS[i], **mark)
    points = np.arange(2, max(*settings.points, *settings.trained) + 1)
    for panel, biases in ((left, (False, True)), (right, (True,))):
        for bias in biases:
            theory = [separability.separable_share(int(n), DIMENSION, bias) for n in points]
            panel.plot(points, theory, **style.THEORY)
        panel.set(xlabel=f"points in {DIMENSION} dimensions", ylim=(-0.03, 1.05))
    left.set(ylabel="share of labellings", title="separable: counted")
    right.set_title("learned without an error (biases)")
    left.legend(loc="lower left")
    panels.legend(figure, right, theory=True)
    figure.suptitle("A deep linear network learns the labellings that one layer can, and no more")
    return figure


def _smallest(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Boolean functions that networks learn, and XOR by number of hidden units."""
    figure, axes = panels.grid(1, 2, (9, 3.8), sharey=False)
    left, right = axes[0]
    found = results["boolean"]["learned"].isel(seed=0).transpose("net", "inputs").values
    places, of = np.arange(2), np.array([2**4, 2**8])
    for i, net in enumerate(NETS):
        bars = left.bar(places + 0.26 * (i - 1), 100 * found[i] / of, 0.25, label=net,
                        color=style.COLOURS[i])  # fmt: skip
        left.bar_label(bars, [str(n) for n in found[i]], fontsize=8.5)
    for place, n in zip(places, (2, 3), strict=True):
        level = 100 * separability.THRESHOLD_FUNCTIONS[n] / of[place]
        left.plot([place - 0.42, place + 0.42], [level, level], **style.THEORY)
    left.set_xticks(places, [f"two inputs\n(of {of[0]})", f"three inputs\n(of {of[1]})"])
    left.set(ylabel="Boolean functions learned (%)", ylim=(0, 112), title="truth tables")
    left.grid(False, axis="x")
    solved = results["units"]["solved"].transpose("units", "seed").mean("seed")
    right.plot(np.arange(len(solved)), 100 * solved, color=style.GREEN, marker="^",
               label="hidden ReLUs")  # fmt: skip
    right.set_xticks(np.arange(len(solved)), solved["units"].values)
    right.set(xlabel="hidden ReLUs", ylabel="starts that learn XOR (%)", ylim=(0, 105))
    right.set_title("two can do it, more learn it more often")
    panels.legend(figure, left, theory=True)
    figure.suptitle("Without activations XOR stays out of reach, however deep the network")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
