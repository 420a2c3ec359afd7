"""How far does a signal reach through a deep network at birth: order, chaos and the line between?

Three experiments with tanh networks whose weights have the variance s_w² / n and whose biases have
s_b². The map: where gradients shrink or grow, and where two inputs become alike or strangers. Two
inputs followed layer by layer, next to the iterated correlation map. And training: how deep a
network may be and still learn.
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
from simdl.scenario.judges import Judgement
from simdl.scenario.propagating import learned, propagated
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import correlation, propagation

QUESTION = "signal_propagation.question"

BIAS = 0.05  # s_b^2 of all but the map and the line
LINE_BIASES = (0.01, 0.05, 0.3)  # s_b^2 where the line is judged
PATHS = {1.7: "ordered", 2.0: "chaotic", 2.5: "far in chaos"}  # s_w^2
START = 0.25  # correlation of two inputs to begin with
KINDS = [["tanh", s_w2, BIAS] for s_w2 in PATHS]
ORDERED, CHAOTIC = 1.0, 4.0  # s_w^2 of nets that are judged by their training
FURTHER = 60  # layers up to which theory is drawn
REACH = 6  # depth that trains, in correlation scales (Schoenholz et al. 2017)
MARGIN = 0.2  # of accuracy


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 5, "width": 300, "draws": 6, "map_points": 7, "map_seeds": 1,
        "depths": (4, 32), "survey_weights": (1.0, 1.8, 3.0), "rates": (3e-3, 0.03, 0.3),
        "steps": 200, "survey_rates": (0.03,), "pilot_seeds": 1,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "width": 1000, "map_points": 25}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 40
    width: Annotated[int, Field(ge=16, description="units a layer, at birth")] = 500
    depth: Annotated[int, Field(ge=5, description="layers that pairs of inputs are followed")] = 10
    draws: Annotated[
        int, Field(ge=1, description="biases and inputs drawn for the weights of a replicate")
    ] = 10  # fmt: skip
    map_points: Annotated[
        int, Field(ge=3, description="values of each variance in the map")
    ] = 10  # fmt: skip
    map_seeds: Annotated[int, Field(ge=1, description="networks that each cell averages")] = 4
    deep: Annotated[int, Field(ge=3, description="hidden layers of the nets judged")] = 32
    steps: Annotated[int, Field(ge=10, description="training steps, batches of 32")] = 300
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (SGD)")
    ] = (1e-3, 1e-2, 0.1, 1.0)  # fmt: skip
    pilot_seeds: Annotated[
        int, Field(ge=1, le=1000, description="seeds the rates are tuned on")
    ] = 3  # fmt: skip
    depths: Annotated[
        tuple[int, ...], Field(description="hidden layers of the survey of training")
    ] = (4, 8, 16, 32, 64)  # fmt: skip
    survey_weights: Annotated[
        tuple[float, ...], Field(description="variances s_w² of this survey, rising")
    ] = (0.75, 1.25, 1.75, 2.25, 2.75, 3.5)  # fmt: skip
    survey_rates: Annotated[
        tuple[float, ...], Field(description="its learning rates (SGD); the better one counts")
    ] = (0.01, 0.1)  # fmt: skip

    @property
    def pilots(self) -> list[int]:
        """Seeds for tuning and for the survey, which no replicate has."""
        return [2**31 + self.seed + i for i in range(self.pilot_seeds)]


def weights(settings: Settings) -> list[float]:
    """The map's variances of weights times width, s_w^2."""
    return np.linspace(0.5, 4, settings.map_points).round(3).tolist()


def biases(settings: Settings) -> list[float]:
    """The map's variances of biases, s_b^2."""
    return np.linspace(0.005, 0.5, settings.map_points).round(3).tolist()


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, seeds = settings, settings.replicates
    born = {"width": s.width, "start": START, "pairs": 8}
    line = [["tanh", correlation.order_chaos_line(b)[0], b] for b in LINE_BIASES]
    line = [*line, ["relu", 2.0, 0.0]]
    cells = [["tanh", s_w2, s_b2] for s_b2 in biases(s) for s_w2 in weights(s)]
    fixed = {"width": 32, "s_b2": BIAS, "steps": s.steps}
    arms = [ORDERED, correlation.order_chaos_line(BIAS)[0], CHAOTIC]
    axes = {"s_w2": list(s.survey_weights), "depth": list(s.depths), RATE: list(s.survey_rates)}
    return {
        "map": simdl.Sweep(
            born | {"width": 200, "depth": 12, "draws": 1, "arms": cells}, {}, seeds[: s.map_seeds],
            measure=propagated,
        ),
        "line": simdl.Sweep(
            born | {"depth": 20, "pairs": 4, "draws": 2, "arms": line}, {}, seeds,
            measure=propagated,
        ),
        "paths": simdl.Sweep(
            born | {"depth": s.depth, "draws": s.draws, "arms": KINDS}, {}, seeds,
            measure=propagated,
        ),
        "survey": simdl.Sweep(fixed, axes, s.pilots[:1], measure=learned),
        "tuned": Tuned(
            fixed | {"depth": s.deep}, {"s_w2": arms}, s.rates, s.pilots, seeds, measure=learned,
            score="error",
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, scales = settings.level, list(PATHS)
    paths, growth = results["paths"], results["line"]["growth"]
    ordered, critical, chaotic = (results["tuned"]["accuracy"].isel(s_w2=i) for i in range(3))

    def equals(values: Any, reference: float) -> Judgement:
        return judges.equivalence(np.ravel(values), reference, 0.02, level=level)

    def grows(arm: int) -> Judgement:
        length = propagation.fixed_length("tanh", scales[arm], BIAS)
        told = propagation.backward_gain("tanh", length, scales[arm])
        return equals(paths["growth"].isel(arm=arm), told)

    def follows(arm: int) -> Judgement:
        """The judgement of that layer whose correlation agrees least with the iterated map."""
        found = paths["correlation"].isel(arm=arm).transpose("layer", "seed").values
        told = correlation.correlation_path("tanh", START, len(found) - 1, scales[arm], BIAS)
        judged = [
            judges.equivalence(values, reference, 0.02, absolute=True, level=level)
            for values, reference in zip(found[1:], told[1:], strict=True)
        ]
        return judges.worst(judged)

    def better(arm: xarray.DataArray) -> Judgement:
        return judges.direction(np.ravel(critical - arm), MARGIN, level=level)

    return [
        Claim("P-line-small", equals(growth.isel(arm=0), 1.0)),
        Claim("P-line-middle", equals(growth.isel(arm=1), 1.0)),
        Claim("P-line-large", equals(growth.isel(arm=2), 1.0)),
        Claim("P-line-relu", equals(growth.isel(arm=3), 1.0)),
        Claim("P-growth-ordered", grows(0)),
        Claim("P-growth-chaotic", grows(2)),
        Claim("P-correlation-ordered", follows(0)),
        Claim("P-correlation-chaotic", follows(1)),
        Claim("P-correlation-far", follows(2)),
        Claim("P-trainable-ordered", better(ordered)),
        Claim("P-trainable-chaotic", better(chaotic)),
    ]


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """The map with its line, correlations by layer, and the depth that trains."""
    return {
        "map": _map(results["map"].mean("seed"), weights(settings), biases(settings)),
        "correlation": _correlation(results["paths"]),
        "training": _training(results["survey"], results["tuned"], settings),
    }


def _map(found: xarray.Dataset, x: list[float], y: list[float]) -> Any:
    """Growth of the gradient and correlation of two inputs over both variances; theory's line."""
    figure, axes = panels.grid(1, 2, (9, 4.2))
    growth = np.log2(found["growth"].values.reshape(len(y), len(x)))
    last = found["correlation"].isel(layer=-1).values.reshape(growth.shape)
    crossing = [float(np.interp(0, row, x)) for row in growth]
    heights = np.linspace(1e-4, y[-1] * 1.02, 60)
    line = [correlation.order_chaos_line(b)[0] for b in heights]
    parts = (
        (growth, (-0.5, 0.5), "growth of the squared\ngradient a layer (log₂)", "gradients"),
        (last, (0, 1), f"correlation after {found.sizes['layer'] - 1} layers", "two inputs"),
    )
    dashed = style.THEORY | {"color": "white", "linewidth": 2}
    for panel, (values, (low, high), label, title) in zip(axes[0], parts, strict=True):
        image = panels.heat(panel, x, y, values, low=low, high=high)
        figure.colorbar(image, ax=panel, label=label, extend="both" if low < 0 else "neither")
        panel.plot(line, heights, **dashed)
        panel.plot(
            crossing, y, "o", color=style.RED, markeredgecolor="white", markersize=5, zorder=6
        )
        panel.set(xlabel="s_w², the weights' variance times width", title=title)
        panel.set_ylim(y[0] - (y[1] - y[0]) / 2, y[-1] + (y[1] - y[0]) / 2)
        marks = (("order", (0.06, 0.9), low < 0), ("chaos", (0.78, 0.06), low == 0))
        for text, place, dark in marks:
            ink = "white" if dark else style.BLACK
            panel.annotate(text, place, xycoords="axes fraction", color=ink, fontweight="bold")
    axes[0, 0].set_ylabel("s_b², the biases' variance")
    figure.suptitle(
        "Gradients neither shrink nor grow on theory's line (dashed; dots: measured crossing)"
    )
    return figure


def _correlation(paths: xarray.Dataset) -> Any:
    """Correlation of two inputs by layer, and its change from one layer to the next."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    layers, grid = paths["layer"].values, np.linspace(0, 1, 41)
    right.axhline(0, color=style.BLACK, linewidth=0.8)
    for i, (s_w2, kind) in enumerate(PATHS.items()):
        found = paths["correlation"].isel(arm=i).transpose("seed", "layer").values
        line: Any = (f"s_w² = {s_w2:g} ({kind})", style.COLOURS[i])
        panels.band(left, layers, found, *line, marker=style.MARKERS[i], markevery=(i, 3))
        told = correlation.correlation_path("tanh", START, FURTHER, s_w2, BIAS)
        left.plot(told, **style.THEORY)
        length = propagation.fixed_length("tanh", s_w2, BIAS)
        curve = [correlation.correlation_map("tanh", float(c), length, s_w2, BIAS) for c in grid]
        right.plot(grid, curve - grid, **style.THEORY)
        mean = found.mean(axis=0)
        right.plot(mean[:-1], np.diff(mean), style.MARKERS[i], color=style.COLOURS[i])
        star = correlation.fixed_correlation("tanh", s_w2, BIAS)
        ring: Any = {"color": style.COLOURS[i], "markerfacecolor": "white", "markersize": 9}
        right.plot(star, 0, "o", **ring, markeredgewidth=2, zorder=6)
        left.plot(FURTHER + 2, star, "o", **ring, markeredgewidth=2)
    left.set(xlabel="layer", ylabel="correlation of two inputs", ylim=(0, 1.03))
    left.set_title("layer by layer (rings: the limit)")
    right.set(xlabel="correlation in a layer", ylabel="its change to the next layer")
    right.set_title("the map (rings: fixed points)")
    panels.legend(figure, left, theory=True, bands=paths.sizes["seed"])
    figure.suptitle("In order all inputs become alike; in chaos they settle at a distance")
    return figure


def _training(survey: xarray.Dataset, tuned: xarray.Dataset, settings: Settings) -> Any:
    """Test accuracy over weights and depth, with theory's reach; accuracies of the arms judged."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False, width_ratios=(1.6, 1))
    left, right = axes[0]
    best = survey["error"].fillna(1).mean("seed").argmin(RATE)
    reached = survey["accuracy"].isel({RATE: best}).mean("seed").transpose("depth", "s_w2")
    x, rows = np.asarray(settings.survey_weights), np.arange(len(settings.depths))
    image = panels.heat(left, x, rows, reached.values, low=0, high=1)
    figure.colorbar(image, ax=left, label=f"test accuracy, {settings.steps} steps of SGD")
    critical = correlation.order_chaos_line(BIAS)[0]
    fine = np.linspace(x[0], x[-1], 81)
    fine = fine[np.abs(fine - critical) > 0.01]
    reach = [REACH * correlation.correlation_scale("tanh", float(w), BIAS) for w in fine]
    place = np.interp(np.log(reach), np.log(settings.depths), rows, left=np.nan, right=np.nan)
    left.plot(fine, place, **(style.THEORY | {"color": "white", "linewidth": 2}))
    left.axvline(critical, color="white", linewidth=1, linestyle=":")
    left.set_yticks(rows, [str(d) for d in settings.depths])
    left.set(xlabel="s_w², the weights' variance times width", ylabel="hidden layers")
    left.set_title(f"dashed: {REACH} correlation scales")
    accuracies = tuned["accuracy"].transpose("seed", "s_w2").values
    for i, values in enumerate(accuracies.T):
        spots = i + 0.3 * (np.arange(values.size) / max(1, values.size - 1) - 0.5)
        right.plot(spots, values, "o", color=style.COLOURS[i], alpha=0.5)
        right.plot([i - 0.25, i + 0.25], [values.mean()] * 2, color=style.BLACK, linewidth=2)
    names = [f"order\n{ORDERED:g}", f"on the line\n{critical:.2f}", f"chaos\n{CHAOTIC:g}"]
    right.set_xticks(range(3), names)
    right.set(ylim=(0, 1), ylabel="test accuracy", title=f"{settings.deep} layers, own rates")
    panels.level(right, 0.1, "guessing")
    figure.suptitle("Deep tanh networks train best near the line between order and chaos")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
