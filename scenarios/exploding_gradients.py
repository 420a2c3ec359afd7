"""Why do gradients explode, where does a training break, and what helps?

Four experiments. At birth: how the gradient grows on its way back, next to theory, and how far
single networks scatter about it. A network so badly scaled that its first pass leaves the finite
numbers: in which layer? And training, each arm at its own learning rate: badly scaled weights,
the same with clipping, and a fitting initialisation.
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
from simdl.scenario.tuning import CAP, RATE, Tuned
from simdl.theory import propagation

QUESTION = "exploding_gradients.question"

INIT, DEPTH, CLIP = "network.init", "network.depth", "regularization.clip_norm"
ARM = f"{INIT},{CLIP}"
NEVER = 1e30  # a limit that no gradient reaches
GAINS = (2.0, 2.5, 4.0)  # s^2: He's, slightly larger, twice as large
WILD = 200.0  # s^2 at which one pass through a deep network leaves float32
FLOAT32 = float(np.finfo(np.float32).max)


def gain(s2: float) -> dict[str, Any]:
    """Initial weights of variance s2 / n_in."""
    return {"name": "scaled", "gain": s2}


LARGE = gain(6.0)  # of the nets trained
ARMS = {
    "large weights": [LARGE, NEVER],
    "large weights, clipped": [LARGE, 1.0],
    "He weights": ["he_normal", NEVER],
}


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "nets": 3, "tries": 100, "steps": 500, "survey_seeds": 1,
        "rates": (2e-3, 1e-2, 5e-2, 0.2, 0.5),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "survey_seeds": 16, "steps": 3000}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    nets: Annotated[int, Field(ge=1, description="networks averaged in a replicate at birth")] = 7
    tries: Annotated[
        int, Field(ge=10, description="networks whose scatter is one replicate of it")
    ] = 200  # fmt: skip
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 32
    deep: Annotated[int, Field(ge=3, description="hidden layers of the nets trained")] = 8
    steps: Annotated[int, Field(ge=1, description="training steps, batches of 32")] = 1000
    survey_seeds: Annotated[int, Field(ge=1, description="replicates of the survey of rates")] = 4
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (SGD)")
    ] = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # fmt: skip


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


def overflow(s2: float, width: int, values: int) -> float:
    """Hidden layer in which the largest of `values` pre-activations passes float32's end.

    RMS sqrt(s2) at layer 1, times sqrt(s2 / 2) a layer, less what fluctuations cost on a log
    scale; the largest of n normals is about sqrt(2 ln n) RMS.
    """
    rate = (math.log(s2 / 2) + propagation.log_gain(width)[0]) / 2
    start = math.log(math.sqrt(s2) * math.sqrt(2 * math.log(values)))
    return 1 + (math.log(FLOAT32) - start) / rate + 0.5  # the next whole layer, on average


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, seeds = settings, settings.replicates
    survey = [s.seed + i for i in range(s.survey_seeds)]
    born: dict[str, Any] = {
        "network": {"width": 128, "depth": 50, "activation": "relu"},
        "nets": s.nets,
        "batch": 16,
        "cotangent": "random",
    }
    slight = simdl.with_values(born, {INIT: gain(GAINS[1]), "nets": max(1, s.nets // 2)})
    trained = {
        "network": {"width": s.width, "depth": s.deep, "activation": "relu"},
        "optimizer": {"name": "SGD"},
        "training": {"steps": s.steps},
    }
    arms = {ARM: list(ARMS.values())}
    return {
        "birth": simdl.Sweep(born, {INIT: [gain(g) for g in GAINS]}, seeds, measure=at_birth),
        "by_depth": simdl.Sweep(slight, {DEPTH: [5, 10, 20, 40]}, seeds, measure=at_birth),
        "scatter": simdl.Sweep(
            {"width": 64, "depth": 20, "tries": s.tries}, {}, seeds, measure=scatter
        ),
        "located": simdl.Sweep({"gain": WILD, "depth": 50}, {}, seeds, measure=located),
        "survey": simdl.Sweep(trained, arms | {RATE: list(s.rates)}, survey),
        "tuned": Tuned(trained, arms, s.rates, s.pilots, seeds),
    }


def growth(found: xarray.Dataset) -> np.ndarray:
    """RMS factor a layer by which the gradient changes on its way back, between inner layers."""
    g2, layers = found["gradient"].transpose("seed", "layer").values, found.sizes["layer"]
    return np.asarray((g2[:, 2] / g2[:, layers - 3]) ** (1 / (2 * (layers - 5))))


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, by_depth, scattered = settings.level, results["by_depth"], results["scatter"]
    he, _, large = (results["birth"].isel({INIT: i}) for i in range(3))
    plain, clipped, fitting = (results["tuned"]["test_accuracy"].isel({ARM: i}) for i in range(3))
    depths = by_depth[DEPTH].values
    squares = by_depth["gradient"].transpose(DEPTH, "seed", "layer").values
    gained = np.array(
        [np.log(g[:, 0] / g[:, d - 1]) / 2 for g, d in zip(squares, depths, strict=True)]
    )

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float, absolute: bool = False) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, absolute, level=level)

    layer = overflow(WILD, 128, 128 * 32)
    return [
        Claim("T24a", judges.trend(depths, gained.T, margin=math.log(1.05), level=level)),
        Claim("T24b", direction(growth(large), 1.2, log=True)),
        Claim("T25a-gradient", direction(growth(he), 1.05, above=False, log=True)),
        Claim("T25a-training", direction(fitting - plain, 0.1)),
        Claim("T25b", direction(clipped - plain, 0.1)),
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
        "rates": _rates(results["survey"], results["tuned"]),
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


def _rates(survey: xarray.Dataset, tuned: xarray.Dataset) -> Any:
    """Test accuracy and training loss against the rate for each arm; the tuned rates marked."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    for i, label in enumerate(ARMS):
        found = survey.isel({ARM: i}).transpose("seed", RATE, ...)
        loss = found["train_loss"].where(np.isfinite(found["train_loss"]), CAP * 100)
        accuracy = found["test_accuracy"].where(~found["diverged"].astype(bool), 0.1)
        line: Any = (label, style.COLOURS[i])
        panels.band(left, found[RATE], accuracy, *line, marker=style.MARKERS[i])
        panels.band(right, found[RATE], loss.clip(max=CAP * 100), *line, log=True,
                    marker=style.MARKERS[i])  # fmt: skip
        best = float(np.ravel(tuned[RATE].isel({ARM: i}))[0])
        left.axvline(best, color=style.COLOURS[i], linewidth=0.9, linestyle=":")
    panels.level(left, 0.1, "guessing")
    panels.level(right, math.log(10), "guessing")
    for panel in (left, right):
        panel.set(xlabel="learning rate (SGD)", xscale="log")
    left.set(ylabel="test accuracy", ylim=(0, 1), title="Accuracy")
    right.set(ylabel="training loss (nats, diverged = 10⁴)", yscale="log", title="Loss")
    panels.legend(figure, left, bands=survey.sizes["seed"])
    figure.suptitle("No learning rate makes up for badly scaled weights; clipping lets them train")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
