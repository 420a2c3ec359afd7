"""Which part of its input does a unit of a convolutional network see, and how much of it counts?

The receptive field grows layer by layer after a formula, which is compared with published networks
and with where gradients come from. Within the field the weight lies in the middle: behind random
layers it is nearly a Gaussian, as wide as the square root of the depth, while the field grows with
the depth itself. Strides, dilation and pooling widen both; training changes it, too.
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
from simdl.scenario.published import FIELDS, IMAGE, VGG_POOLS, networks
from simdl.scenario.seen import effective, learned, published, support, windows
from simdl.theory import receptive_field as theory

QUESTION = "receptive_field.question"

DEPTHS, SAME = (5, 10, 20, 40), 8  # convolutions; as many for each kind of them
CLOSE, ROOT = 0.05, 0.05  # of a standard deviation, relative; of an exponent
GAUSSIAN, SHAPE = 3.0, 0.1  # kurtosis, and what counts as equal, relative
WIDER = ("stride", "dilation", "pooling")
SHOWN = {
    "plain": "plain", "stride": "every other stride 2", "dilation": "dilation 1, 2, 4, 8",
    "pooling": "every other pooled by 2",
}  # fmt: skip


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "nets": 64, "supports": 40, "trained": 2, "steps": 300,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"nets": 640, "supports": 2_000, "trained": 16, "steps": 3_000}

    seeds: Annotated[
        int, Field(ge=2, description="replicates of every claim on the effective field")
    ] = 32  # fmt: skip
    nets: Annotated[int, Field(ge=1, description="networks averaged in each replicate")] = 160
    channels: Annotated[int, Field(ge=1, description="channels of the random networks")] = 16
    supports: Annotated[
        int, Field(ge=1, le=10_000, description="random networks whose gradients are followed")
    ] = 200  # fmt: skip
    trained: Annotated[
        int, Field(ge=1, le=10_000, description="networks looked at before and after training")
    ] = 4  # fmt: skip
    depth: Annotated[int, Field(ge=1, description="convolutions of these networks")] = 8
    steps: Annotated[int, Field(ge=1, description="steps these networks are trained")] = 600


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """Published networks; supports and effective fields of random ones; fields that are learned."""
    s = settings
    random = {"channels": s.channels, "nets": s.nets}
    few = [s.seed + i for i in range(s.trained)]
    net = {"depth": s.depth, "channels": 12, "lr": 0.005, "steps": s.steps, "samples": 64}
    return {
        "published": simdl.Sweep({}, {}, [s.seed], measure=published),
        "support": simdl.Sweep({}, {}, [s.seed + i for i in range(s.supports)], measure=support),
        "depth": simdl.Sweep(
            random | {"kind": "plain"}, {"depth": list(DEPTHS)}, s.replicates, measure=effective
        ),
        "kind": simdl.Sweep(
            random | {"depth": SAME}, {"kind": [*SHOWN]}, s.replicates, measure=effective
        ),
        "learned": simdl.Sweep(net, {}, few, measure=learned),
    }


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, known, ends = settings.level, results["published"], results["support"]
    depth, kind = (results[key] for key in ("depth", "kind"))
    fields = [[[f.size, f.stride, f.padding] for f in FIELDS.values()]] * 2
    found = [known[axis].isel(seed=0) for axis in ("field", "other")]
    share = np.log(4 * depth["sigma"].transpose("seed", "depth") / (2 * depth["depth"]))

    def deep(layers: int) -> judges.Judgement:
        reference = theory.effective_sigma(windows("plain", layers))
        measured = np.ravel(depth["sigma"].sel(depth=layers))
        return judges.equivalence(measured, reference, CLOSE, level=level)

    def wide(how: str) -> judges.Judgement:
        reference = theory.effective_sigma(windows(how, SAME))
        return judges.equivalence(
            np.ravel(kind["sigma"].sel(kind=how)), reference, CLOSE, level=level
        )

    return [
        Claim("T40a-published", judges.exact(found, fields, 0.0)),
        Claim("T40a-pools", judges.exact(known["pools"].isel(seed=0), VGG_POOLS, 0.0)),
        Claim("T40a-gradient", judges.exact([ends["first"], ends["last"]], 0.0, 0.0)),
        Claim("T40b-five", deep(5)),
        Claim("T40b-ten", deep(10)),
        Claim("T40b-twenty", deep(20)),
        Claim("T40b-forty", deep(40)),
        Claim("T40b-share", judges.trend(
            np.log(DEPTHS), share, reference=-0.5, tolerance=ROOT, absolute=True, level=level)),
        Claim("T40b-shape", judges.equivalence(
            np.ravel(depth["kurtosis"].sel(depth=DEPTHS[-1])), GAUSSIAN, SHAPE, level=level)),
        Claim("T40b-stride", wide("stride")),
        Claim("T40b-dilation", wide("dilation")),
        Claim("T40b-pooling", wide("pooling")),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Fields by layer; effective fields by depth; what widens them, and what training does."""
    return {
        "theoretical": _theoretical(),
        "effective": _effective(results["depth"]),
        "wider": _wider(results["kind"], results["learned"], settings),
    }


def _theoretical() -> Any:
    """Size of the field behind each window: of published networks, and of ways to widen it."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    looks = list(zip(style.COLOURS, style.MARKERS, strict=False))
    for (name, net), (colour, marker) in zip(networks().items(), looks, strict=False):
        sizes = [1]
        for field, _ in simdl.receptive_field(net).values():
            if field.size > sizes[-1]:
                sizes.append(field.size)
        label = f"{name}: {sizes[-1]}"
        left.plot(range(len(sizes)), sizes, color=colour, marker=marker, markersize=3, label=label)
    panels.level(left, IMAGE[0], "the image", above=True)
    for (how, label), (colour, marker) in zip(SHOWN.items(), looks, strict=False):
        sizes = [1, *(field.size for field in theory.fields(windows(how, SAME)))]
        right.plot(range(len(sizes)), sizes, color=colour, marker=marker, label=label)
    left.set(
        xlabel="layers that widen it", ylabel="receptive field (pixels)", title="published networks"
    )
    right.set(
        xlabel="layers", ylabel="receptive field (positions)", title=f"{SAME} convolutions of 3"
    )
    for panel in (left, right):
        panel.legend(loc="upper left")
    left.set_xticks(range(0, 19, 3))
    figure.suptitle("Strides and dilation, not depth alone, make receptive fields large")
    return figure


def _gaussian(place: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-((place / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))


def _effective(found: xarray.Dataset) -> Any:
    """Weight by position at each depth; both fields by depth."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    place = found["position"].values
    for depth, colour, marker in zip(DEPTHS, style.COLOURS, style.MARKERS, strict=False):
        weight = found["weight"].sel(depth=depth).transpose("seed", "position")
        mark = {"marker": marker, "markevery": 5}
        panels.band(left, place, weight, f"{depth} layers", colour, **mark)
        sigma = theory.effective_sigma(windows("plain", depth))
        left.plot(place, _gaussian(place, sigma), **style.THEORY)
        left.axvspan(-depth, depth, ymax=0.02, color=colour, alpha=0.5, linewidth=0)
    sigma = found["sigma"].transpose("seed", "depth")
    panels.band(right, DEPTHS, 4 * sigma, "effective: 4 sigma", style.BLUE, marker="o")
    right.plot(
        DEPTHS, [2 * n + 1 for n in DEPTHS], color=style.RED, marker="s", label="theoretical"
    )
    line = [4 * theory.effective_sigma(windows("plain", n)) for n in DEPTHS]
    right.plot(DEPTHS, line, **style.THEORY)
    left.set(
        xlabel="distance from the centre", ylabel="share of the squared gradient", ylim=(0, None)
    )
    left.set_title("a middle unit (bars below: its field)")
    right.set(xscale="log", yscale="log", xlabel="convolutions of 3", ylabel="positions")
    right.set_xticks(DEPTHS, [str(n) for n in DEPTHS])
    right.set_yticks([10, 20, 40, 80], ["10", "20", "40", "80"])
    right.minorticks_off()
    right.set_title("effective and theoretical field")
    right.legend(loc="upper left")
    panels.legend(figure, left, theory=True, bands=found.sizes["seed"])
    figure.suptitle("What counts is a Gaussian that grows with the square root of the depth only")
    return figure


def _wider(kind: xarray.Dataset, trained: xarray.Dataset, settings: Settings) -> Any:
    """Weight by position: of each kind of layers; of a network before and after training."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    place = kind["position"].values
    for how, colour in zip(SHOWN, style.COLOURS, strict=False):
        weight = kind["weight"].sel(kind=how).transpose("seed", "position")
        panels.band(left, place, weight, SHOWN[how], colour)
        sigma = theory.effective_sigma(windows(how, SAME))
        left.plot(place, _gaussian(place, sigma), **style.THEORY)
    place = trained["position"].values
    for stage, colour, dash in (("before", style.BLUE, "-"), ("after", style.RED, "-.")):
        weight = trained["weight"].sel(stage=stage).transpose("seed", "position")
        sigma = float(trained["sigma"].sel(stage=stage).mean())
        label = f"{stage} training: sigma {sigma:.2f}"
        panels.band(right, place, weight, label, colour, linestyle=dash)
    left.set(
        xlabel="distance from the centre", ylabel="share of the squared gradient",
        title=f"{SAME} random convolutions of 3", ylim=(0, None),
    )  # fmt: skip
    left.legend(loc="upper left", fontsize=8)
    left.set_xlim(-50, 50)
    top = 1.35 * float(trained["weight"].max())  # room for the legend
    right.set(xlabel="distance from the centre", ylim=(0, top))
    right.set_title(f"{settings.depth} convolutions, ReLU, MNIST-1D")
    right.legend(loc="upper left")
    figure.suptitle("Strides, dilation and pooling widen what counts")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
