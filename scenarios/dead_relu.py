"""When do ReLU units fall silent, do they come back, and what helps?

At birth: how often narrow, deep networks are constant, next to theory. While training: negative
inputs, units that die and that revive, one by one. Other activations: which units are left without
a gradient? And the slope on the negative side: which is best depends on the task.
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
from simdl.scenario.silence import KINDS, born, collapse, lives, newborn, silent
from simdl.scenario.slopes import TASKS, sloped, taught
from simdl.scenario.tuning import Tuned
from simdl.theory import dead_units

QUESTION = "dead_relu.question"

ARM = "lr,momentum"
SLOPE = "slope,learned"
WIDTHS = (2, 3, 4)  # of networks at birth
MIXED = (3, 2, 4, 3, 5)  # hidden widths of the networks that are judged at one input
SIMULATED = {2: 0.880, 3: 0.579}  # born dead, ten layers, from an independent Monte Carlo
BORN_LAYERS = 10  # of these networks
NEVER = 0.01  # share of intervals up to which a dead unit counts as never reviving
FEW = 0.1  # share up to which units with a negative input count as few
SMALL, LARGE = 0.01, 0.3  # slopes that are compared
TAUGHT = (0.01, 0.1, 0.3, 0.6)  # slopes of units that are imitated
INITS = {"He": "he_normal", "asymmetric": "randomized_asymmetric"}


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "nets": 8000, "narrow": 60, "slope_steps": 600, "pilot_seeds": 1, "survey": 1,
        "slopes": (), "rates": (0.05, 0.2), "biases": (0.0,), "scales": (1.0, 4.0),
        "slope_rates": (5e-4, 2e-3, 3e-2),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "slope_steps": 2000, "steps": 1000}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    nets: Annotated[
        int, Field(ge=100, description="networks at birth, in a replicate of every width")
    ] = 12_500  # fmt: skip
    narrow: Annotated[
        int, Field(ge=1, description="networks, in a replicate, that learn |x|")
    ] = 100  # fmt: skip
    width: Annotated[int, Field(ge=2, description="units a hidden layer, on digits")] = 32
    depth: Annotated[int, Field(ge=2, description="hidden layers, on digits")] = 4
    steps: Annotated[int, Field(ge=20, description="training steps on digits")] = 300
    every: Annotated[int, Field(ge=1, description="steps between looks at the units")] = 10
    calm: Annotated[float, Field(gt=0, description="learning rate at which few units die")] = 0.05
    hot: Annotated[float, Field(gt=0, description="learning rate at which many units die")] = 0.4
    warm: Annotated[
        float, Field(gt=0, description="learning rate at which activations are compared")
    ] = 0.1  # fmt: skip
    momentum: Annotated[
        float, Field(ge=0, lt=1, description="momentum that revives units, at the calm rate")
    ] = 0.9  # fmt: skip
    survey: Annotated[int, Field(ge=1, description="replicates of the surveys")] = 3
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates of the survey (SGD)")
    ] = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # fmt: skip
    biases: Annotated[
        tuple[float, ...], Field(description="biases at which hidden units start, in the survey")
    ] = (0.5, 0.0, -0.2)  # fmt: skip
    scales: Annotated[
        tuple[float, ...], Field(description="factors of the inputs, in the survey")
    ] = (0.5, 1.0, 2.0, 4.0, 8.0)  # fmt: skip
    slopes: Annotated[
        tuple[float, ...], Field(description="slopes that the figure shows besides those judged")
    ] = (0.1, 0.6)  # fmt: skip
    slope_steps: Annotated[int, Field(ge=10, description="their training steps (Adam)")] = 1000
    slope_rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over, with slopes (Adam)")
    ] = (5e-4, 2e-3, 8e-3, 3e-2, 0.12)  # fmt: skip
    pilot_seeds: Annotated[int, Field(ge=1, le=1000, description="replicates of tuning")] = 8

    @property
    def pilots(self) -> list[int]:
        return [2**31 + self.seed + i for i in range(self.pilot_seeds)]  # four leave it to chance

    @property
    def arms(self) -> list[list[float]]:
        """Rates and momenta at which units are followed."""
        return [[self.calm, 0.0], [self.hot, 0.0], [self.calm, self.momentum]]

    @property
    def sides(self) -> list[list[Any]]:
        """Slopes that stay, and slopes that PReLU starts from."""
        fixed = sorted({*self.slopes, SMALL, LARGE})
        return [[s, False] for s in fixed] + [[s, True] for s in (SMALL, LARGE)]


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, claims = settings, settings.replicates

    def measured(function: Any, base: Any, axes: Any, seeds: Any = claims) -> simdl.Sweep:
        return simdl.Sweep(base, axes, seeds, measure=function)

    shape = {"width": s.width, "depth": s.depth, "steps": s.steps}
    followed = shape | {"every": s.every}
    deep = {"nets": s.nets, "width": 2, "depth": BORN_LAYERS - 1}
    widths = {"widths": [[w] * (2 * BORN_LAYERS - 1) for w in WIDTHS]}
    slopes = {"depth": 2, "width": 32, "steps": s.slope_steps}
    few = [2**31 + s.seed + i for i in range(s.survey)]
    return {
        "born": measured(born, {"nets": s.nets}, widths),
        "mixed": measured(born, {"nets": s.nets, "widths": list(MIXED)}, {}),
        "inits": measured(newborn, deep | {"nets": 20}, {"init": list(INITS.values())}),
        "collapse": measured(collapse, deep | {"nets": s.narrow, "steps": 300, "lr": 0.01}, {}),
        "lives": measured(lives, followed, {ARM: s.arms}),
        "by_rate": measured(
            lives, followed | {"scale": 1.0}, {"bias": list(s.biases), "lr": list(s.rates)}, few
        ),
        "by_scale": measured(
            lives, followed | {"lr": s.calm}, {"bias": list(s.biases), "scale": list(s.scales)}, few
        ),
        "silent": measured(silent, shape | {"lr": s.warm}, {"kind": list(KINDS)}),
        "slopes": Tuned(
            slopes, {"data": list(TASKS), SLOPE: s.sides}, s.slope_rates, s.pilots, claims,
            measure=sloped, score="validation",
        ),
        "taught": measured(taught, {"steps": 600}, {"slope": list(TAUGHT)}),
    }  # fmt: skip


def revived(found: xarray.Dataset, layers: slice) -> np.ndarray:
    """Share of the intervals that a unit of these layers begins dead and ends alive, by seed."""
    counts = found.isel(layer=layers).sum("layer")
    return np.asarray((counts["revived"] / counts["began"]).fillna(0.0).values)


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level = settings.level
    calm, hot, momentum = (results["lives"].isel({ARM: i}) for i in range(3))
    line = results["born"]["line"]
    slopes, sides = results["slopes"], settings.sides

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, True, level=level)

    def loss(task: str, slope: float, learned: bool = False) -> xarray.DataArray:
        return slopes["loss"].sel(data=task).isel({SLOPE: sides.index([slope, learned])})

    def ratio(task: str) -> np.ndarray:
        return np.asarray(loss(task, LARGE) / loss(task, SMALL))

    def at_birth(width: int, layers: int) -> np.ndarray:
        own = line.isel(widths=WIDTHS.index(width)).sel(layer=layers - 1)
        return np.asarray(own.values)

    low, high = dead_units.born_dead_bounds(4, BORN_LAYERS)
    off = np.abs(results["taught"]["end"] - results["taught"]["slope"]).mean("slope")
    lying = hot["began"].isel(layer=0) > 0  # there are dead units, of which it can be told
    leaky = results["silent"]["silent"].sel(kind="leaky ReLU")
    return [
        Claim("T08", direction(calm["negative"].mean("step"), FEW, above=False)),
        Claim("T10a", judges.exact(hot["moved"].where(lying).dropna("seed"), 0.0, 0.0)),
        Claim("T10b-deeper", direction(revived(hot, slice(1, None)), NEVER, above=False)),
        Claim("T10b-momentum", direction(revived(momentum, slice(None)), NEVER, above=False)),
        Claim("T11", judges.exact(leaky, 0.0, 0.0)),
        Claim("T12-mnist1d", direction(ratio("mnist1d"), 1.0, above=False, log=True)),
        Claim("T12-spirals", direction(ratio("spirals"), 1.0, log=True)),
        Claim("T43-loss", direction(
            loss("spirals", LARGE, learned=True) / loss("spirals", LARGE), 0.95, log=True)),
        Claim("T43-slope", direction(off, 0.05)),
        Claim("P-dead-at-input", equals(
            results["mixed"]["input"].isel(layer=-1), dead_units.dead_at_input(MIXED), 0.01)),
        Claim("P-born-dead-bounds", equals(at_birth(4, BORN_LAYERS), (low + high) / 2,
                                           (high - low) / 2)),
        Claim("P-born-dead-exact", equals(
            at_birth(2, 3), dead_units.born_dead_three_layers(2), 0.01)),
        Claim("P-born-dead-two", equals(at_birth(2, BORN_LAYERS), SIMULATED[2], 0.01)),
        Claim("P-born-dead-three", equals(at_birth(3, BORN_LAYERS), SIMULATED[3], 0.01)),
        Claim("P-collapse", equals(results["collapse"]["trained"], 0.922, 0.07)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Born dead, silent while training, revived, remedies, slopes."""
    return {
        "birth": _birth(results),
        "training": _training(results, settings),
        "revival": _revival(results["lives"], settings),
        "remedies": _remedies(results["silent"], settings),
        "slopes": _slopes(results, settings),
    }


def _birth(results: dict[str, xarray.Dataset]) -> Any:
    """Share of networks that are constant at birth, by depth; and with other weights."""
    figure, axes = panels.grid(1, 2, (9, 4.2))
    left, right = axes[0]
    found = results["born"]["line"]
    layers = found["layer"].values + 1  # with the output layer
    for i, width in enumerate(WIDTHS):
        own = found.isel(widths=i).transpose("seed", "layer")
        panels.band(left, layers, own, f"width {width}", style.COLOURS[i],
                    marker=style.MARKERS[i], markevery=2)  # fmt: skip
        bounds = np.array([dead_units.born_dead_bounds(width, int(n)) for n in layers])
        for line in bounds.T:
            left.plot(layers, line, **(style.THEORY | {"linewidth": 0.9}))
    left.set(xlabel="layers", ylabel="share of networks that are constant", ylim=(0, 1.02))
    left.set_title("at birth; theory: bounds")
    left.set_xticks(range(2, 21, 3))
    inits = results["inits"]["line"]
    for i, (label, init) in enumerate(INITS.items()):
        share = inits.sel(init=init).mean("seed")
        right.plot(
            share["layer"] + 1, share, color=style.COLOURS[3 * i], marker=style.MARKERS[i],
            label=f"{label} weights, at birth",
        )  # fmt: skip
    trained = results["collapse"]
    for i, name in enumerate(("born", "trained")):
        share = float(trained[name].mean())
        mark: Any = {"color": style.ORANGE, "markersize": 9, "linestyle": "none"}
        mark |= {"marker": ("X", "*")[i], "label": f"learning |x|, {('before', 'after')[i]}"}
        right.plot(BORN_LAYERS + 0.25 * (i + 1), share, **mark)
    right.set(xlabel="layers", title="width 2")
    right.legend(loc="lower right", bbox_to_anchor=(1, 0.13))
    panels.legend(figure, left, theory=True)
    figure.suptitle("Narrow, deep ReLU networks are often constant at birth, and stay so")
    return figure


def _training(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Negative inputs by step; dead units against the rate, the bias and the data's scale."""
    figure, axes = panels.grid(1, 3, (10.5, 4), sharey=False)
    left, middle, right = axes[0]
    followed = results["lives"]["negative"].transpose(ARM, "seed", "step")
    for i, (lr, momentum) in enumerate(settings.arms):
        label = f"rate {lr:g}" + (f", momentum {momentum:g}" if momentum else "")
        panels.band(left, followed["step"], followed[i], label, style.COLOURS[i],
                    marker=style.MARKERS[i], markevery=6)  # fmt: skip
    panels.level(left, FEW, '"few"')
    left.set(xlabel="training step", ylabel="share of negative inputs", ylim=(0, 1), title="inputs")
    left.legend(loc="lower right", bbox_to_anchor=(1, 0.13))
    for panel, key, axis in ((middle, "by_rate", "lr"), (right, "by_scale", "scale")):
        ends = results[key]["dead"].isel(step=-1).transpose("bias", "seed", axis)
        for i, bias in enumerate(ends["bias"].values):
            label = f"biases start at {bias:g}"
            panels.band(panel, ends[axis], ends[i], label, style.COLOURS[3 + i],
                        marker=style.MARKERS[3 + i])  # fmt: skip
        panel.set(xscale="log", ylabel="share of dead units in the end", ylim=(-0.03, 1.03))
        panel.set_xticks(ends[axis].values, [f"{value:g}" for value in ends[axis].values])
        panel.minorticks_off()
    middle.set(xlabel="learning rate (SGD)", title="large rates kill units")
    right.set(
        xlabel="factor of the inputs", title=f"small inputs, low biases (rate {settings.calm:g})"
    )
    panels.legend(figure, middle, bands=results["by_rate"].sizes["seed"])
    figure.suptitle("Half of ReLU's inputs are negative from the start; large steps kill units")
    return figure


def _revival(found: xarray.Dataset, settings: Settings) -> Any:
    """Every unit of one training, dead or not, by step; share of intervals that revive a unit."""
    figure, axes = panels.grid(1, 2, (9.5, 4.4), sharey=False)
    left, right = axes[0]
    own = found["off"].isel({ARM: 1, "seed": 0}).transpose("unit", "step")
    left.pcolormesh(own["step"], own["unit"] + 0.5, own, cmap="Greys", vmin=0, vmax=1.3,
                    shading="nearest")  # fmt: skip
    left.grid(False)
    for layer in range(1, settings.depth):
        left.axhline(layer * settings.width, color=style.RED, linewidth=0.9)
    numbers = np.arange(settings.depth)
    left.set_yticks((numbers + 0.5) * settings.width, [f"layer {i + 1}" for i in numbers])
    left.set(xlabel="training step", title=f"dead units (dark), rate {settings.hot:g}")
    layers = found["layer"].values
    for i, label in ((1, f"rate {settings.hot:g}"),
                     (2, f"rate {settings.calm:g}, momentum {settings.momentum:g}")):  # fmt: skip
        shares = np.stack([revived(found.isel({ARM: i}), slice(k, k + 1)) for k in layers - 1])
        panels.band(right, layers, 100 * shares.T, label, style.COLOURS[i], marker=style.MARKERS[i])
    panels.level(right, 100 * NEVER)
    right.set_xticks(layers)
    right.set(xlabel="hidden layer", title=f"back to life within {settings.every} steps")
    right.set_ylabel("share of dead units (%)")
    panels.legend(figure, right, bands=found.sizes["seed"])
    figure.suptitle("Under plain SGD the first layer's dead stay dead; deeper units can revive")
    return figure


def _remedies(found: xarray.Dataset, settings: Settings) -> Any:
    """Units without a gradient, and accuracy, after a training at a large rate."""
    figure, axes = panels.grid(1, 2, (8.6, 3.6), sharey=False)
    kinds = list(KINDS)
    for panel, name, unit in zip(axes[0], ("share", "accuracy"), (100, 1), strict=True):
        values = unit * found[name].sel(kind=kinds).transpose("kind", "seed").values
        panel.bar(kinds, values.mean(axis=1), color=style.COLOURS[: len(kinds)], alpha=0.8)
        for i, own in enumerate(values):
            spread = np.linspace(-0.2, 0.2, own.size)
            panel.plot(i + spread, own, ".", color=style.BLACK, markersize=3, alpha=0.6)
        panel.grid(False, axis="x")
    axes[0, 0].set(ylabel="units without a gradient (%)", title="for every training sample")
    axes[0, 1].set(ylabel="test accuracy", ylim=(0, 1), title="which need not cost accuracy")
    figure.suptitle(f"After {settings.steps} steps at rate {settings.warm:g}: only ReLU has units "
                    "that cannot learn")  # fmt: skip
    return figure


def _slopes(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Loss against the slope on two tasks, each at its own rate; slopes that are learned."""
    figure, axes = panels.grid(1, 3, (10.5, 3.9), sharey=False)
    found, sides = results["slopes"]["loss"], settings.sides
    fixed = [i for i, (_, learned) in enumerate(sides) if not learned]
    at = np.array([sides[i][0] for i in fixed])
    for i, (panel, task) in enumerate(zip(axes[0], TASKS, strict=False)):
        own = found.sel(data=task).transpose(SLOPE, "seed").values
        panels.band(panel, at, own[fixed].T, "slope that stays", style.COLOURS[i], log=True,
                    marker="o")  # fmt: skip
        for k, (start, learned) in enumerate(sides):
            if learned:
                end = float(results["slopes"]["end"].sel(data=task).isel({SLOPE: k}).mean())
                height = float(np.exp(np.log(own[k]).mean()))
                panel.annotate("", (end, height), (start, height), arrowprops={"arrowstyle": "->"})
                panel.plot(end, height, "*", color=style.BLACK, markersize=9, label="PReLU")
        panel.set(xlabel="slope on the negative side", ylabel="test loss (nats)")
        panel.set_title({"mnist1d": "MNIST-1D", "spirals": "spirals"}[task])
    axes[0, 1].set_yscale("log")
    right = axes[0, 2]
    learned = results["taught"]["end"].transpose("seed", "slope")
    panels.band(right, TAUGHT, learned, "PReLU, from 1", style.GREEN, marker="s")
    right.plot(TAUGHT, TAUGHT, **style.THEORY)
    right.legend(*right.get_legend_handles_labels(), loc="upper left")
    right.set(xlabel="slope of the unit imitated", ylabel="slope learned", title="one unit")
    figure.suptitle("Which slope is best depends on the task; PReLU (stars) learns one")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
