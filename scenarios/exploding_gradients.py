"""Why do gradients explode, where does a training break, and what helps?

Four experiments. At birth: how the gradient grows on its way back, next to theory, and how far
single networks scatter about it. A network so badly scaled that its first pass leaves the finite
numbers: in which layer? And training, each arm at its own learning rate: badly scaled weights,
the same with clipping, and a fitting initialisation; then what clipping gains by depth, scale of
the weights and budget.
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
from simdl.scenario.birth import at_birth
from simdl.scenario.clipping import CHANCE, NEVER, gain, gained, trained
from simdl.scenario.tuning import CAP, RATE, Tuned
from simdl.theory import propagation

QUESTION = "exploding_gradients.question"

INIT, DEPTH = "network.init", "network.depth"
GAINS = (2.0, 2.5, 4.0)  # s^2: He's, slightly larger, twice as large
WILD = 200.0  # s^2 at which one pass through a deep network leaves float32
FLOAT32 = float(np.finfo(np.float32).max)
LARGE = 6.0  # s^2 of the nets that are judged by their training
ARM = "gain,clip"
ARMS = {
    "large weights": [LARGE, NEVER],
    "large weights, clipped": [LARGE, 1.0],
    "He weights": [2.0, NEVER],
}
SCALES = (2.0, 4.0, LARGE)  # s^2 of the survey
MARGIN = 0.1  # of accuracy, that a remedy must bring


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "nets": 2, "tries": 60, "steps": 200, "survey_seeds": 1, "pilot_seeds": 2,
        "rates": (5e-4, 2e-3, 0.1, 0.2, 0.5), "depths": (2, 8),
        "survey_rates": (1e-3, 0.1),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "survey_seeds": 8, "steps": 2000}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    nets: Annotated[int, Field(ge=1, description="networks averaged in a replicate at birth")] = 5
    tries: Annotated[
        int, Field(ge=10, description="networks whose scatter is one replicate of it")
    ] = 60  # fmt: skip
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 64
    deep: Annotated[int, Field(ge=3, description="hidden layers of the nets judged")] = 8
    steps: Annotated[int, Field(ge=10, description="training steps, batches of 32")] = 500
    pilot_seeds: Annotated[
        int, Field(ge=1, le=1000, description="seeds the rates are tuned on")
    ] = 12
    survey_seeds: Annotated[
        int, Field(ge=1, description="replicates of the survey of depth, scale and budget")
    ] = 2  # fmt: skip
    depths: Annotated[
        tuple[int, ...], Field(description="hidden layers of the survey")
    ] = (4, 8, 12)  # fmt: skip
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (SGD)")
    ] = (5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)  # fmt: skip

    survey_rates: Annotated[
        tuple[float, ...], Field(description="learning rates of the survey, coarser")
    ] = (2e-4, 1e-3, 5e-3, 0.05, 0.2)  # fmt: skip

    @property
    def pilots(self) -> list[int]:
        """More than usual: whether a rate diverges for a few seeds must be seen."""
        return [2**31 + self.seed + i for i in range(self.pilot_seeds)]


def scatter(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Fluctuations of M = |f(x)|^2 / |x|^2 over He-initialised ReLU networks, one input.

    f(x) = J x for a ReLU network without biases, so M is (n_0 / n_L) |J u|^2 with u along x.
    `spread` and `log_spread`: variance of one layer's factor and of its logarithm, over networks
    and layers; `cumulated`: variance of ln M from the input to each layer.
    """
    width, depth = settings["width"], settings["depth"]
    stack = [layer for _ in range(depth) for layer in (L.Dense(width), L.ReLU())]
    net = simdl.Network((width,), stack, init="he_normal", dtype="float64")
    x = np.random.default_rng(seed).normal(size=(1, width))
    zero = np.zeros((1, width))
    squares = []
    for k in range(settings["tries"]):
        passed = simdl.vjp(net, net.init((seed + k * 2**20) % 2**32), x, zero)
        outs = [passed.outputs[i] for i in range(1, 2 * depth, 2)]
        squares.append([float(np.sum(h**2)) for h in (x, *outs)])
    gains = np.array(squares)
    each = gains[:, 1:] / gains[:, :-1]
    total = np.log(gains[:, 1:] / gains[:, :1]).var(axis=0, ddof=1)
    return {
        "spread": float(each.var(ddof=1)),
        "log_spread": float(np.log(each).var(ddof=1)),
        "cumulated": xarray.DataArray(total, {"layer": np.arange(1, depth + 1)}),
    }


def located(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train a wildly scaled network until it diverges: at which step, in which hidden layer?"""
    stack = [layer for _ in range(settings["depth"]) for layer in (L.Dense(128), L.ReLU())]
    net = simdl.Network((64,), [*stack, L.Dense(10)], init=gain(settings["gain"]))
    data = simdl.data.load("digits", seed=seed)
    result = simdl.train(
        net, data, optimizer=simdl.optimizers.SGD(lr=1e-3), steps=3, probes=[], seed=seed
    )
    where = result.divergence or {"step": math.nan, "layer": "-2"}
    layer = int(str(where["layer"]).partition(".")[0]) // 2 + 1
    return {"step": float(where["step"]), "layer": float(layer)}


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, seeds = settings, settings.replicates
    born: dict[str, Any] = {
        "network": {"width": 128, "depth": 50, "activation": "relu"},
        "nets": s.nets,
        "batch": 16,
        "cotangent": "random",
    }
    slight = simdl.with_values(born, {INIT: gain(GAINS[1]), "nets": max(1, s.nets // 2)})
    fixed = {"width": s.width, "steps": s.steps}
    judged = fixed | {"depth": s.deep}
    arms = {ARM: list(ARMS.values())}
    survey = {"depth": list(s.depths), "gain": list(SCALES), "clip": [NEVER, 1.0]}
    survey |= {RATE: list(s.survey_rates)}
    return {
        "birth": simdl.Sweep(born, {INIT: [gain(g) for g in GAINS]}, seeds, measure=at_birth),
        "by_depth": simdl.Sweep(slight, {DEPTH: [5, 10, 20, 40]}, seeds, measure=at_birth),
        "scatter": simdl.Sweep(
            {"width": 64, "depth": 20, "tries": s.tries}, {}, seeds, measure=scatter
        ),
        "located": simdl.Sweep({"gain": WILD, "depth": 50}, {}, seeds, measure=located),
        "by_rate": simdl.Sweep(judged, arms | {RATE: list(s.rates)}, s.pilots, measure=trained),
        "survey": simdl.Sweep(fixed, survey, s.pilots[: s.survey_seeds], measure=trained),
        "tuned": Tuned(
            judged, arms, s.rates, s.pilots, seeds, measure=trained, score="error"
        ),
    }  # fmt: skip


def growth(found: xarray.Dataset) -> np.ndarray:
    """RMS factor a layer by which the gradient changes on its way back, between inner layers."""
    g2, layers = found["gradient"].transpose("seed", "layer").values, found.sizes["layer"]
    return np.asarray((g2[:, 2] / g2[:, layers - 3]) ** (1 / (2 * (layers - 5))))


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, by_depth, scattered = settings.level, results["by_depth"], results["scatter"]
    he, _, large = (results["birth"].isel({INIT: i}) for i in range(3))
    plain, clipped, fitting = (results["tuned"]["accuracy"].isel({ARM: i}) for i in range(3))
    depths = by_depth[DEPTH].values
    squares = by_depth["gradient"].transpose(DEPTH, "seed", "layer").values
    gained = np.array(
        [np.log(g[:, 0] / g[:, d - 1]) / 2 for g, d in zip(squares, depths, strict=True)]
    )

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float, absolute: bool = False) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, absolute, level=level)

    layer = propagation.overflow_layer(WILD, 128, 128 * 32, FLOAT32)
    return [
        Claim("T24a", judges.trend(depths, gained.T, margin=math.log(1.05), level=level)),
        Claim("T24b", direction(growth(large), 1.2, log=True)),
        Claim("T25a-gradient", direction(growth(he), 1.05, above=False, log=True)),
        Claim("T25a-training", direction(fitting - plain, MARGIN)),
        Claim("T25b", direction(clipped - plain, MARGIN)),
        Claim("P-relu-explosion", equals(large["back"], GAINS[-1] / 2, 0.02)),
        Claim("P-fluctuation", equals(scattered["spread"], 5 / 64, 0.1)),
        Claim("P-log-fluctuation", equals(
            scattered["log_spread"], propagation.log_gain(64)[1], 0.1)),
        Claim("P-overflow", equals(results["located"]["layer"], layer, 1.0, absolute=True)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Gradients at birth with their scatter, and accuracy against the learning rate."""
    return {
        "birth": _birth(results["birth"], results["scatter"]),
        "rates": _rates(results["by_rate"], results["tuned"], settings),
        "clipping": _clipping(results["survey"], settings),
    }


def _birth(birth: xarray.Dataset, scattered: xarray.Dataset) -> Any:
    """Gradient by layer for three scales; variance of the log gain by depth; both with theory."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    layers = birth["layer"].values
    for i, s2 in enumerate(GAINS):
        found = np.sqrt(birth["gradient"].isel({INIT: i}).transpose("seed", "layer").values)
        label = f"s² = {s2:g}" + (" (He)" if s2 == 2 else "")
        marks: Any = {"marker": style.MARKERS[i], "markevery": (1 + i, 8)}
        line = (label, style.COLOURS[i])
        panels.band(left, layers, found / found[:, -1:], *line, log=True, **marks)
        left.plot(layers, (s2 / 2) ** ((len(layers) - layers) / 2), **style.THEORY)
    left.set(xlabel="hidden layer", yscale="log", title="Layers multiply")
    left.set_ylabel("pre-activation gradient\n(RMS, last hidden layer = 1)")
    across = scattered["cumulated"].transpose("seed", "layer")
    at = across["layer"].values
    panels.band(right, at, across, "", style.COLOURS[0])
    right.plot(at, at * propagation.log_gain(64)[1], **style.THEORY)
    right.set(xlabel="layers", ylim=(0, None), title="Even He networks scatter")
    right.set_ylabel("variance of the log of the squared gain\n(width 64)")
    panels.legend(figure, left, theory=True, bands=birth.sizes["seed"])
    figure.suptitle("Slightly large weights are enough to make the gradient explode in depth")
    return figure


def _rates(by_rate: xarray.Dataset, tuned: xarray.Dataset, settings: Settings) -> Any:
    """Test accuracy and training loss against the rate for each arm; the tuned rates marked."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    for i, label in enumerate(ARMS):
        found = by_rate.isel({ARM: i}).transpose("seed", RATE, ...)
        line: Any = (label, style.COLOURS[i])
        mark = {"marker": style.MARKERS[i]}
        panels.band(left, found[RATE], found["accuracy"], *line, **mark)
        panels.band(right, found[RATE], found["loss"], *line, log=True, **mark)
        best = float(np.ravel(tuned[RATE].isel({ARM: i}))[0])
        left.axvline(best, color=style.COLOURS[i], linewidth=1.1, linestyle=(i, (1, 2)))
    panels.level(left, CHANCE, "guessing", left=True)
    panels.level(right, math.log(10), "guessing", left=True)
    for panel in (left, right):
        panel.set(xlabel="learning rate (SGD)", xscale="log")
    left.set(ylabel="test accuracy", ylim=(0, 1), title="Dotted: the rates that tuning chose")
    right.set(ylabel=f"training loss (nats, diverged: {CAP:g})", yscale="log", title="Loss")
    panels.legend(figure, left, bands=by_rate.sizes["seed"])
    figure.suptitle(
        f"{settings.deep} layers, s² = {LARGE:g}: clipping helps at larger rates, He weights more"
    )
    return figure


def _clipping(survey: xarray.Dataset, settings: Settings) -> Any:
    """What clipping gains against depth, and against the budget, a line a scale."""
    figure, axes = panels.grid(1, 2, (9, 4.2))
    left, right = axes[0]
    found = gained(survey)
    depth = min(settings.depths, key=lambda d: abs(d - settings.deep))
    for i, s2 in enumerate(SCALES):
        label = f"s² = {s2:g}" + (" (He)" if s2 == 2 else "")
        line: Any = (label, style.COLOURS[i])
        mark = {"marker": style.MARKERS[i]}
        arm = found.sel(gain=s2)
        by_depth = arm.sel(share=1.0).transpose("seed", "depth")
        panels.band(left, found["depth"], by_depth, *line, **mark)
        budgets = settings.steps * found["share"].values
        by_budget = arm.sel(depth=depth).transpose("seed", "share")
        panels.band(right, budgets, by_budget, *line, **mark)
    left.set_xticks(settings.depths)
    left.set(xlabel="hidden layers", title=f"after {settings.steps} steps")
    left.set_ylabel("test accuracy gained by clipping\n(each at its own best rate)")
    right.set(xlabel="training steps (SGD)", xscale="log", title=f"{depth} hidden layers")
    right.set_xticks(budgets, [f"{b:g}" for b in budgets])
    right.minorticks_off()
    for panel in (left, right):
        panels.level(panel, MARGIN, "margin of the claim")
        panel.axhline(0, color=style.BLACK, linewidth=0.8)
    panels.legend(figure, left, bands=survey.sizes["seed"])
    figure.suptitle("Clipping helps where networks are deep and weights too large")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
