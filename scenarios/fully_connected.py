"""What do dense layers do for a network, and where are they needed?

A linear probe reads the classes off each layer of a dense network, trained and at birth. On a
trained convolutional network the dense head is scrambled, replaced and trained anew; another one
does without hidden dense layers altogether. Published accuracies and VGG-16's count of parameters
stand beside them.
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
from simdl.scenario.intervals import t_interval
from simdl.scenario.probed import HEADS, MODELS, benchmark, counted, headed, layers, replaced
from simdl.scenario.published import VGG_FC6, VGG_PARAMETERS
from simdl.scenario.tuning import Tuned

QUESTION = "fully_connected.question"

FUSED = 0.1  # of a probe's accuracy: gained by more than this
CHANCE, AT_CHANCE = 0.1, 0.03  # accuracy of guessing, and what counts as equal to it
NEEDED = 0.03  # of accuracy: hidden dense layers gain more than this
NEAR = 0.04  # of accuracy: as published
PUBLISHED = {"logistic": 0.315, "mlp": 0.65, "cnn": 0.92}
COUNTS = {"logistic": 410, "mlp": 15_210, "cnn": 5_210}
MEAN, FLAT, HIDDEN = HEADS
SHOWN = {
    "trained": "as trained", "scrambled": "scrambled", "born": "initial\nweights",
    "retrained": "trained\nagain",
}  # fmt: skip


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "steps": 400, "published_steps": 700, "rates": (0.01,), "tuning": 1,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "steps": 6_000, "published_steps": 6_000}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 24
    width: Annotated[int, Field(ge=10, description="units of the probed hidden layers")] = 100
    depth: Annotated[int, Field(ge=1, description="hidden layers that are probed")] = 3
    lr: Annotated[float, Field(gt=0, description="learning rate of Adam, of these")] = 0.003
    channels: Annotated[int, Field(ge=1, description="of the convolutions below a head")] = 16
    rates: Annotated[tuple[float, ...], Field(description="rates to tune the heads from")] = (
        0.005, 0.01, 0.02,
    )  # fmt: skip
    tuning: Annotated[int, Field(ge=1, le=4, description="pilot seeds of every rate")] = 2
    steps: Annotated[int, Field(ge=1, description="training steps, batches of 100")] = 1_000
    published_steps: Annotated[
        int, Field(ge=1, description="training steps of the published models")
    ] = 1_600  # fmt: skip


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """Probed layers; heads put on trained convolutions; heads from birth; published models."""
    s = settings
    probed = {"width": s.width, "depth": s.depth, "lr": s.lr, "steps": s.steps}
    front = {"channels": s.channels, "steps": s.steps}
    return {
        "layers": simdl.Sweep(probed, {}, s.replicates, measure=layers),
        "replaced": simdl.Sweep(front | {"lr": 0.01}, {}, s.replicates, measure=replaced),
        "heads": Tuned(
            front, {"head": [*HEADS]}, s.rates, s.pilots[: s.tuning], s.replicates,
            measure=headed, score="validation_error",
        ),
        "models": simdl.Sweep(
            {"steps": s.published_steps}, {"model": [*MODELS]}, s.replicates, measure=benchmark
        ),
        "vgg": simdl.Sweep({}, {}, [s.seed], measure=counted),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, vgg, models = settings.level, results["vgg"].isel(seed=0), results["models"]
    probe = results["layers"]["probe"]
    last = probe.isel(layer=-1)
    head, heads = results["replaced"]["accuracy"], results["heads"]["accuracy"]

    def above(values: Any, margin: float) -> judges.Judgement:
        return judges.direction(np.ravel(values), margin, level=level)

    def published(model: str) -> judges.Judgement:
        values = np.ravel(models["accuracy"].sel(model=model))
        return judges.equivalence(values, PUBLISHED[model], NEAR, absolute=True, level=level)

    counts = models["parameters"].isel(seed=0).sel(model=[*COUNTS])
    return [
        Claim("T36-input", above(last.sel(state="trained") - probe.sel(
            state="trained", layer=0), FUSED)),
        Claim("T36-untrained", above(last.sel(state="trained") - last.sel(state="born"), FUSED)),
        Claim("T37a-scrambled", judges.equivalence(
            np.ravel(head.sel(head="scrambled")), CHANCE, AT_CHANCE, absolute=True, level=level)),
        Claim("T37a-trained", above(
            head.sel(head="trained") - head.sel(head="scrambled"), 0.5)),
        Claim("T37a-again", above(
            head.sel(head="retrained") - head.sel(head="trained"), -NEEDED)),
        Claim("T37b", above(heads.sel(head=HIDDEN) - heads.sel(head=MEAN), NEEDED)),
        Claim("P-mnist1d-logistic", published("logistic")),
        Claim("P-mnist1d-mlp", published("mlp")),
        Claim("P-mnist1d-cnn", published("cnn")),
        Claim("P-mnist1d-parameters", judges.exact(counts, [*COUNTS.values()], 0.0)),
        Claim("P-vgg-parameters", judges.exact(vgg["total"], VGG_PARAMETERS, 0.0)),
        Claim("P-vgg-first-dense", judges.exact(vgg["first"], VGG_FC6, 0.0)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Probes by layer; heads put on a trained map, and from birth; parameters, models."""
    return {
        "layers": _layers(results["layers"]),
        "heads": _heads(results["replaced"], results["heads"], settings),
        "parameters": _parameters(results["vgg"].isel(seed=0), results["models"], settings),
    }


def _layers(found: xarray.Dataset) -> Any:
    """Accuracy of a linear probe and separation of the classes by layer."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    at = found["layer"].values
    for state, label, colour, marker in (
        ("trained", "trained", style.RED, "s"), ("born", "at birth", style.BLUE, "o"),
    ):  # fmt: skip
        for panel, name, scale in ((left, "probe", 100), (right, "separation", 1)):
            values = scale * found[name].sel(state=state).transpose("seed", "layer")
            panels.band(panel, at, values, label, colour, marker=marker)
    left.axhline(
        100 * float(found["accuracy"].mean()), color=style.BLACK, linestyle="-.", linewidth=1,
        label="the trained network itself",
    )  # fmt: skip
    panels.level(left, 100 * CHANCE, "guessing")
    left.set(ylabel="accuracy of a linear probe (%)", ylim=(0, 72), title="what a line can read")
    right.set(ylabel="variance between / within classes", ylim=(0, None), title="separation")
    for panel in (left, right):
        panel.set_xlabel("hidden layer (0: the input)")
        panel.set_xticks(at)
    left.legend(loc="lower right", bbox_to_anchor=(1.0, 0.14))
    figure.supxlabel(
        f"MNIST-1D, new samples; bands: lowest to highest of {found.sizes['seed']} seeds",
        fontsize=8.5,
    )
    figure.suptitle("Layer by layer a trained network makes the classes easier to read")
    return figure


def _dots(panel: Any, place: float, values: Any, level: float, look: tuple[str, str]) -> None:
    middle, low, high = t_interval(100 * np.ravel(values), level)
    panel.errorbar(
        place, middle, [[middle - low], [high - middle]], color=look[0], fmt=look[1], capsize=4,
        markersize=6,
    )  # fmt: skip


def _heads(found: xarray.Dataset, heads: xarray.Dataset, settings: Settings) -> Any:
    """Accuracy of heads on trained convolutions; of heads from birth, by their parameters."""
    figure, axes = panels.grid(1, 2, (9.2, 4.4), sharey=False)
    left, right = axes[0]
    looks = list(zip(style.COLOURS, style.MARKERS, strict=True))
    for place, name in enumerate(SHOWN):
        _dots(left, place, found["accuracy"].sel(head=name), settings.level, looks[place])
    panels.level(left, 100 * CHANCE, "guessing", above=True)
    left.set_xticks(range(len(SHOWN)), [*SHOWN.values()])
    left.set(xlim=(-0.5, 3.5), ylim=(0, 103), ylabel="accuracy on new samples (%)")
    left.set_title("the dense head of a trained network")
    for name, look in zip((MEAN, FLAT, HIDDEN), looks, strict=False):
        seen = heads.sel(head=name)
        count = float(seen["parameters"].isel(seed=0).mean())
        _dots(right, count, seen["accuracy"], settings.level, look)
        label = {MEAN: "mean over positions,\nlinear", FLAT: "flattened, linear",
                 HIDDEN: "flattened, hidden\nof 64, linear"}[name]  # fmt: skip
        right.annotate(
            label, (count, 100 * float(seen["accuracy"].mean())), xytext=(9, -4),
            textcoords="offset points", fontsize=8.5, va="top",
        )  # fmt: skip
    right.set(xscale="log", xlim=(1_000, 100_000), xlabel="parameters of the network")
    right.set_title("heads from the start, each tuned")
    right.set_ylim(80, 97)
    figure.supxlabel(
        f"three convolutions of {settings.channels} channels on MNIST-1D; {settings.level:.1%} "
        f"intervals over {found.sizes['seed']} seeds",
        fontsize=8.5,
    )
    figure.suptitle("The head reads the map, but it needs no hidden dense layer")
    return figure


def _parameters(vgg: xarray.Dataset, models: xarray.Dataset, settings: Settings) -> Any:
    """Where VGG-16 has its parameters; published models of MNIST-1D."""
    figure, axes = panels.grid(1, 2, (9.2, 4.2), sharey=False)
    left, right = axes[0]
    counts = [float(vgg["convolutions"]), VGG_FC6, float(vgg["dense"]) - VGG_FC6]
    bars = ["13 convolutions", "first dense layer", "two dense layers"]
    left.barh(bars, [c / 1e6 for c in counts], color=[style.BLUE, style.RED, style.ORANGE])
    for place, count in enumerate(counts):
        share = f"{count / float(vgg['total']):.0%}"
        left.annotate(share, (count / 1e6, place), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=9)  # fmt: skip
    left.invert_yaxis()
    left.set(xlabel="parameters (millions)", xlim=(0, 125))
    left.set_title(f"VGG-16: {VGG_PARAMETERS:,} parameters")
    for place, model in enumerate(MODELS):
        seen = models["accuracy"].sel(model=model)
        _dots(right, place, seen, settings.level, (style.BLUE, "o"))
        right.plot(place, 100 * PUBLISHED[model], "_", color=style.BLACK, markersize=24)
    right.plot([], [], "_", color=style.BLACK, markersize=12, label="published")
    names = ("logistic\n410", "two hidden layers\n15,210", "convolutions\n5,210")
    right.set_xticks(range(3), [f"{name} parameters" for name in names])
    right.set(xlim=(-0.5, 2.5), ylim=(0, 103), ylabel="accuracy on new samples (%)")
    right.set_title("MNIST-1D, published models")
    right.legend(loc="upper left")
    figure.supxlabel(
        f"right: {settings.level:.1%} intervals over {models.sizes['seed']} seeds", fontsize=8.5
    )
    figure.suptitle("Three quarters of VGG-16's parameters lie in one dense layer")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
