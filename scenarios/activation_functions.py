"""What do sigmoid, tanh and ReLU differ in: values, slopes, cost, and speed of training?

Four experiments. Curves: ranges and derivatives from the layers themselves. Cost: time an element,
and what share of a training step that is. Convergence: steps to a validation loss, against rate and
depth, each activation at its own best rate. And ReLU's slope at 0: does its choice ever matter?
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import layers as L
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.costs import ELEMENTS, KINDS, OTHERS, cost
from simdl.scenario.tuning import RATE, Tuned

QUESTION = "activation_functions.question"

SHOWN = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
MORE = {
    "leaky_relu": "leaky ReLU", "elu": "ELU", "selu": "SELU", "gelu": "GELU", "silu": "SiLU",
    "softplus": "softplus", "softsign": "softsign",
}  # fmt: skip
FITS = [["sigmoid", "glorot_normal"], ["tanh", "glorot_normal"], ["relu", "he_normal"]]
FITTED, DEPTH, OPTIMIZER = "network.activation,network.init", "network.depth", "optimizer.name"
TARGET = 0.3  # validation loss that counts as arrived, nats: about nine digits in ten right
EVERY = 2  # steps between two looks at it
WIDE, NARROW = 48, 8
GRID = {"Adam": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1), "SGD": (0.03, 0.1, 0.3, 1.0, 3.0)}


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 8, "steps": 600, "rates": (3e-3, 1e-2, 3e-2), "survey": 1, "kink_widths": (8, 48),
        "kink_steps": 50, "rounds": 2,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "steps": 4000, "kink_steps": 3000, "survey": 16}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 48
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 32
    shallow: Annotated[int, Field(ge=1, description="hidden layers of the shallow nets")] = 1
    medium: Annotated[int, Field(ge=1, description="hidden layers of the nets between")] = 2
    deep: Annotated[int, Field(ge=1, description="hidden layers of the deep nets")] = 5
    steps: Annotated[int, Field(ge=10, description="most training steps, batches of 32")] = 1500
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (Adam)")
    ] = GRID["Adam"]  # fmt: skip
    small: Annotated[
        float, Field(gt=0, description="small learning rate that activations share (SGD)")
    ] = 0.03  # fmt: skip
    survey: Annotated[
        int, Field(ge=1, description="replicates of the survey over rates (of tuning: 2 to 4)")
    ] = 4  # fmt: skip
    rounds: Annotated[int, Field(ge=1, description="timed runs; the quickest counts")] = 6
    kink_widths: Annotated[
        tuple[int, ...], Field(description="units a hidden layer where ReLU's slope at 0 is chosen")
    ] = (4, 6, 8, 12, 16, 24, 48)  # fmt: skip
    kink_depth: Annotated[int, Field(ge=1, description="hidden layers of these nets")] = 6
    kink_steps: Annotated[int, Field(ge=1, description="their training steps")] = 300


def curves(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Value and derivative of an activation on a grid of x in [-20, 20], from the layer itself."""
    kind = (KINDS | OTHERS)[settings["activation"]]
    net = simdl.Network((1,), [kind], dtype="float64")
    x = np.linspace(-20, 20, 801)[:, None]
    passed = simdl.vjp(net, net.init(seed), x, np.ones_like(x))
    grid = {"x": x[:, 0]}
    return {
        "value": xarray.DataArray(passed.output[:, 0], grid),
        "derivative": xarray.DataArray(passed.input[:, 0], grid),
    }


def rounding(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """From which x on sigmoid's value is exactly 1, on a grid of .01."""
    net = simdl.Network((1,), [L.Sigmoid()], dtype=settings["dtype"])
    x = np.arange(10, 45, 0.01)[:, None]
    ones = simdl.forward(net, net.init(seed), x)[:, 0] == 1
    return {"from": float(x[ones.argmax(), 0])}


@simdl.njit
def kinked(y, x, alpha):  # type: ignore[no-untyped-def]
    """y = max(x, 0)"""
    zero = y.dtype.type(0)
    for i in range(y.size):
        y[i] = zero if x[i] <= zero else x[i]


@simdl.njit
def kinked_backward(dx, dy, x, y, alpha):  # type: ignore[no-untyped-def]
    """dx = dy where x > 0, alpha dy at x = 0, else 0"""
    zero, slope = dx.dtype.type(0), dx.dtype.type(alpha)
    for i in range(dx.size):
        dx[i] = zero if x[i] < zero else (slope * dy[i] if x[i] == zero else dy[i])


def kink(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Largest difference of the trained parameters, ReLU's slope at 0 being 0 or 1."""
    data = simdl.data.load("digits", split=(0.6, 0.2, 0.2), scale="standard", seed=seed)
    trained = []
    for slope in (0.0, 1.0):
        relu = L.Activation(kinked, kinked_backward, slope)
        hidden = [L.Dense(settings["width"]), relu] * settings["depth"]
        net = simdl.Network((64,), [*hidden, L.Dense(10)], init="he_normal")
        run = simdl.train(net, data, steps=settings["steps"], seed=seed, probes=[])
        trained.append(run.params.flat)
    return {"difference": float(np.max(np.abs(trained[0] - trained[1])))}


def arrival(found: xarray.Dataset, most: int) -> xarray.DataArray:
    """Logarithm of the steps to the target; a run that did not get there scores the most."""
    return np.log(found["steps"].where(found["stopped_early"], most))


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured and trained."""
    s, one = settings, [settings.seed]
    stop = {"name": "target", "metric": "validation_loss", "value": TARGET, "every": EVERY}
    training = {
        "network": {"width": s.width}, "training": {"steps": s.steps}, "stop": stop,
    }  # fmt: skip
    arms = {FITTED: FITS, DEPTH: list(dict.fromkeys((s.shallow, s.medium, s.deep)))}
    sgd = training | {"optimizer": {"name": "SGD"}}
    shared = simdl.with_values(sgd, {DEPTH: s.shallow, RATE: s.small})
    timing = {"repeats": 30, "rounds": s.rounds}
    flat = {"depth": s.kink_depth, "steps": s.kink_steps}
    widths = {"width": sorted({*s.kink_widths, WIDE, NARROW})}
    kinks = [s.seed + i for i in range(max(24, s.seeds))]  # a pair differs in two cases of five
    pilots = s.pilots[: max(2, s.survey)]
    survey = s.pilots[: s.survey] if s.survey <= len(s.pilots) else s.replicates[: s.survey]
    return {
        "curves": simdl.Sweep({}, {"activation": [*KINDS, *OTHERS]}, one, measure=curves),
        "rounding": simdl.Sweep({}, {"dtype": ["float32", "float64"]}, one, measure=rounding),
        "cost": simdl.Sweep(timing, {}, s.replicates[:16], measure=cost),
        "kink": simdl.Sweep(flat, widths, kinks, measure=kink),
        "tuned": Tuned(training, arms, s.rates, pilots, s.replicates,
                       score=lambda found: arrival(found, s.steps)),
        "shared": simdl.Sweep(shared, {FITTED: FITS}, s.replicates),
        "Adam": simdl.Sweep(training, arms | {RATE: list(s.rates)}, survey),
        "SGD": simdl.Sweep(sgd, arms | {RATE: list(GRID["SGD"])}, survey),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    s, level, above_zero = settings, settings.level, float(np.nextafter(0, 1))
    curve = results["curves"].squeeze("seed")
    x, taken = curve["x"].values, results["cost"]["element"]
    difference = results["kink"]["difference"]
    log_steps = arrival(results["tuned"], s.steps)
    small = arrival(results["shared"], s.steps)

    def value(name: str, activation: str) -> np.ndarray:
        return np.asarray(curve[name].sel(activation=activation).values)

    def faster(first: int, second: int, depth: int) -> Any:
        """Steps of one arm over those of another, each at its own rate: below 1?"""
        at = log_steps.sel({DEPTH: depth})
        ratio = np.exp(at.isel({FITTED: first}) - at.isel({FITTED: second}))
        return judges.direction(np.ravel(ratio), 1.0, above=False, log=True, level=level)

    def dearer(activation: str) -> Any:
        ratio = taken.sel(activation=activation) / taken.sel(activation="relu")
        return judges.direction(np.ravel(ratio), 1.2, log=True, level=level)

    sigmoid, tanh, relu = (value("value", name) for name in KINDS)
    slope, inner = value("derivative", "tanh"), np.abs(x) <= 15  # beyond, tanh rounds to 1
    rounds = results["rounding"]["from"].values.ravel()
    ratio = np.exp(small.isel({FITTED: 2}) - small.isel({FITTED: 1}))
    return [
        Claim("T02-range", judges.bound(np.minimum(sigmoid, 1 - sigmoid), lower=above_zero)),
        Claim("T02-derivative", judges.exact(
            value("derivative", "sigmoid"), sigmoid * (1 - sigmoid), 1e-12)),
        Claim("T02-quarter", judges.bound(
            value("derivative", "sigmoid"), upper=0.25, lower=above_zero)),
        Claim("T02-rounding", judges.exact(rounds, np.array([24, 53]) * math.log(2), 0.07)),
        Claim("T04-sigmoid", dearer("sigmoid")),
        Claim("T04-tanh", dearer("tanh")),
        Claim("T05a-range", judges.bound(1 - np.abs(tanh[inner]), lower=above_zero)),
        Claim("T05a-derivative", judges.exact(slope, 1 - tanh**2, 1e-12)),
        Claim("T05a-one", judges.exact(slope[x == 0], 1.0, 1e-12)),
        Claim("T05b-medium", faster(1, 0, s.medium)),
        Claim("T05b-deep", faster(1, 0, s.deep)),
        Claim("T09a", faster(2, 0, s.deep)),
        Claim("T09b", faster(2, 1, s.deep)),
        Claim("T09c", judges.direction(np.ravel(ratio), 1.0, above=False, log=True, level=level)),
        Claim("T41a", judges.exact(difference.sel(width=WIDE), 0.0, 0.0)),
        Claim("T41b", judges.exact(difference.sel(width=NARROW), 0.0, 0.0)),
        Claim("T42", judges.exact(relu + relu[::-1], 0.0, 1e-12)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Curves, cost, convergence, and the slope at 0."""
    return {
        "curves": _curves(results["curves"].squeeze("seed")),
        "cost": _cost(results["cost"]),
        "convergence": _convergence(results, settings),
        "kink": _kink(results["kink"]["difference"], settings),
    }


def _curves(found: xarray.Dataset) -> Any:
    """Values, derivatives, and f(x) + f(-x), which is 0 where a function is linear."""
    figure, axes = panels.grid(2, 3, (10, 6.2), sharey=False)
    near = found.sel(x=slice(-6, 6))
    for row, shown in zip(axes, (SHOWN, MORE), strict=True):
        for i, (name, label) in enumerate(shown.items()):
            dashes = "--" if shown is MORE and i % 2 else "-"
            line = {"color": [*style.COLOURS, style.BLACK][i], "label": label, "linestyle": dashes}
            own, x = near.sel(activation=name), near["x"]
            row[0].plot(x, own["value"], **line)
            row[1].plot(x, own["derivative"], **line)
            if name == "relu" or shown is MORE:
                row[2].plot(x, own["value"].values + own["value"].values[::-1], **line)
        row[2].axhline(0, **style.THEORY)
    axes[0, 2].annotate("a linear function", (6, 0.15), ha="right", fontsize=8.5)
    axes[0, 2].annotate("ReLU: |x|", (2.2, 3.6), ha="right", fontsize=8.5)
    axes[0, 0].set(title="value", ylim=(-1.2, 3), ylabel="f(x)")
    axes[0, 1].set(title="derivative", ylabel="f '(x)")
    axes[0, 2].set(title="is ReLU linear?", ylabel="f(x) + f(-x)", ylim=(-0.5, 6.2))
    axes[1, 0].set(title="of others", ylim=(-2, 3), ylabel="f(x)")
    axes[1, 1].set(title="their derivatives", ylabel="f '(x)")
    for panel in axes.flat:
        panel.set_xlabel("x")
    panels.level(axes[0, 1], 0.25, "1/4", above=True, left=True)
    axes[0, 0].legend(loc="upper left")
    axes[1, 2].set(title="0 needs no line: softsign", ylabel="f(x) + f(-x)", ylim=(-2, 6.2))
    panels.legend(figure, axes[1, 0])
    figure.suptitle("Sigmoid passes back at most a quarter, tanh at most 1; ReLU is bent at 0")
    return figure


def _cost(found: xarray.Dataset) -> Any:
    """Time an element and share of a training step, a point a replicate, its median a bar."""
    figure, axes = panels.grid(1, 2, (9, 4), sharey=False)
    names = SHOWN | MORE
    element = found["element"].sel(activation=list(names)).transpose("seed", "activation").values
    step = found["step"].sel(trained=list(SHOWN)).transpose("seed", "trained").values
    share = 100 * element[:, :3] * ELEMENTS / 1000 / step  # 2 layers of 64, 32 samples: as many
    for panel, values, digits in ((axes[0, 0], element, 2), (axes[0, 1], share, 1)):
        middle, count = np.median(values, axis=0), values.shape[1]
        colours = [*style.COLOURS[:3], *["#999999"] * (count - 3)]
        panel.barh(list(names.values())[:count], middle, color=colours)
        spread = np.abs(np.quantile(values, [0.25, 0.75], axis=0) - middle)
        panel.errorbar(middle, range(count), xerr=spread, fmt="none", ecolor=style.BLACK, capsize=3)
        for i, (length, above) in enumerate(zip(middle, spread[1], strict=True)):
            place: Any = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            panel.annotate(f"{length:.{digits}f}", (length + above, i), fontsize=8.5, **place)
        panel.grid(False, axis="y")
        panel.invert_yaxis()
    axes[0, 0].set(xlabel="ns an element, forward and back", title="the function itself")
    axes[0, 0].margins(x=0.12)
    axes[0, 1].set(xlabel="share of a training step (%)", title="64-64-64-10, batches of 32")
    axes[0, 1].set_xlim(0, 100)
    times = np.median(element, axis=0)[:2] / np.median(element, axis=0)[2]
    figure.suptitle(
        f"Sigmoid costs {times[0]:.0f} and tanh {times[1]:.0f} times what ReLU costs, yet "
        f"{np.median(share, axis=0).max():.0f} % of a training step"
    )
    return figure


def _convergence(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Steps to the target against the rate, a column a depth, a row an optimizer."""
    depths = results["Adam"][DEPTH].values
    figure, axes = panels.grid(2, len(depths), (10, 6), sharex="row")
    for row, optimizer in zip(axes, GRID, strict=True):
        found = np.exp(arrival(results[optimizer], settings.steps))
        for panel, depth in zip(row, depths, strict=True):
            for i, label in enumerate(SHOWN.values()):
                own = found.sel({DEPTH: depth}).isel({FITTED: i}).transpose("seed", RATE)
                line = {"marker": style.MARKERS[i], "log": True}
                panels.band(panel, found[RATE], own, label, style.COLOURS[i], **line)
                if optimizer == "Adam":
                    _own_rate(panel, results["tuned"], depth, i, settings)
            panels.level(panel, settings.steps)
            panel.set(xscale="log", yscale="log", ylim=(8, 1.6 * settings.steps))
            panel.minorticks_off()
            panel.set_title(f"{optimizer}, {depth} hidden layer{'s' if depth > 1 else ''}")
        middle: Any = {"xycoords": ("axes fraction", "data"), "ha": "center", "fontsize": 8.5}
        row[0].annotate("not reached", (0.5, settings.steps * 1.06), **middle)
        row[0].set_ylabel(f"steps to a validation\nloss of {TARGET:g}")
    for panel in axes[1]:
        panel.axvline(settings.small, color=style.BLACK, linewidth=0.8, linestyle=":")
        panel.set_xlabel("learning rate")
    panels.legend(figure, axes[0, 0], bands=results["Adam"].sizes["seed"])
    figure.suptitle(
        "ReLU leads under SGD at small rates; at its own best (rings) tanh is as fast or faster"
    )
    return figure


def _own_rate(panel: Any, tuned: xarray.Dataset, depth: int, arm: int, s: Settings) -> None:
    """A ring at an arm's own rate: the mean over replicates, on other seeds than the lines."""
    own = tuned.sel({DEPTH: depth}).isel({FITTED: arm})
    steps = float(np.exp(arrival(own, s.steps).mean()))
    ring = {"markerfacecolor": "white", "markersize": 9, "markeredgewidth": 2, "zorder": 6}
    panel.plot(float(own[RATE]), steps, "o", color=style.COLOURS[arm], **ring)


def _kink(difference: xarray.DataArray, settings: Settings) -> Any:
    """Share of pairs of runs that differ, and by how much, against width."""
    figure, axes = panels.grid(1, 2, (8, 3.5), sharey=False)
    found = difference.transpose("seed", "width")
    shares, widths = (found > 0).mean("seed").values, found["width"].values
    places = np.arange(len(widths))
    axes[0, 0].bar(places, 100 * shares, color=style.BLUE)
    axes[0, 0].set(ylabel="pairs of runs that differ (%)", ylim=(0, 105), title="how often")
    for place, column in zip(places, found.values.T, strict=True):
        axes[0, 1].plot(np.full(column.size, place), column, "o", color=style.BLUE, alpha=0.4)
    axes[0, 1].set(
        ylabel="largest difference of a parameter",
        title="how much",
        yscale="symlog",
        ylim=(-1e-4, 5),
    )
    axes[0, 1].set_yscale("symlog", linthresh=1e-3)
    for panel in axes[0]:
        panel.set_xticks(places, widths)
        panel.set_xlim(-0.6, len(widths) - 0.4)
        panel.set_xlabel(f"units a hidden layer ({settings.kink_depth} layers)")
    figure.suptitle("ReLU's slope at 0, taken as 0 or as 1: only narrow, deep nets notice")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
