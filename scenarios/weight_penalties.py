"""What do penalties on the weights do to them?

L1 makes weights exactly 0 and L2 shrinks them all, each after its closed form; an early stop does
nearly what L2 does. Under Adam, an L2 penalty is divided by the size of the gradient and is no
longer a decay of the weights; decoupled, as in AdamW, it is.
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
from simdl.scenario.penalized import decay, network, orthonormal, stopped
from simdl.theory import penalties as theory

QUESTION = "weight_penalties.question"

CLOSE, DRIFT = 1e-6, 0.002  # absolute, of weights; of the weight that Adam moves
SPARSE = 0.5  # of a network's weights
TIGHT = 1.5  # a ratio of risks that is reached, below the bound
NOISES = (0.1, 1.0, 100.0)  # variances, of targets whose own variance is 1
TIMES = (0.1, 0.3, 0.6, 1.0, 1.8, 3.0, 6.0, 10.0, 30.0, 100.0)
ARMS = ((0.0, 0.0), (0.003, 0.0), (0.0, 0.03))  # l1, l2 of the networks
NAMES = ("no penalty", "L1, 0.003", "L2, 0.03")


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {"seeds": 4}
    FULL: ClassVar[dict[str, Any]] = {"seeds": 256}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 24
    samples: Annotated[int, Field(ge=4, description="of the linear fits")] = 200
    features: Annotated[int, Field(ge=2, description="of the linear fits")] = 20
    strengths: Annotated[
        tuple[float, ...], Field(min_length=2, description="lambda of both penalties, rising")
    ] = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
    decays: Annotated[
        tuple[float, ...], Field(min_length=2, description="lambda of decay and L2 under Adam")
    ] = (0.001, 0.01, 0.1)
    width: Annotated[int, Field(ge=1, description="units of the networks' hidden layers")] = 64
    lr: Annotated[float, Field(gt=0, description="learning rate of the networks' SGD")] = 0.1
    epochs: Annotated[int, Field(ge=1, description="times the networks see the digits")] = 40


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """Linear fits with penalties and with early stops; a weight without data; networks."""
    s = settings
    sizes = {"samples": s.samples, "features": s.features}
    net = {"width": s.width, "lr": s.lr, "epochs": s.epochs}
    return {
        "fits": simdl.Sweep(
            sizes, {"kind": ["l1", "l2"], "strength": [*s.strengths]}, s.replicates,
            measure=orthonormal,
        ),
        "stops": simdl.Sweep(
            sizes | {"noises": [*NOISES]}, {"time": [*TIMES]}, s.replicates, measure=stopped
        ),
        "decay": simdl.Sweep(
            {"lr": 0.001, "steps": 100}, {"strength": [*s.decays]}, [s.seed], measure=decay
        ),
        "networks": simdl.Sweep(
            net, {"l1,l2": [list(arm) for arm in ARMS]}, s.replicates, measure=network
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, fits, ratio = settings.level, results["fits"], _ratio(results["stops"])
    last = results["decay"]["weight"].isel(seed=0, step=-1)
    kept = theory.decoupled(100, 0.001, last["strength"].values)

    def form(kind: str) -> judges.Judgement:
        seen = fits.sel(kind=kind)
        return judges.exact(seen["weight"] - seen["theory"], 0.0, CLOSE)

    l1 = fits.sel(kind="l1")
    return [
        Claim("T34-values", form("l1")),
        Claim("T34-zeros", judges.exact(l1["weight"] == 0, l1["theory"] == 0, 0.0)),
        Claim("T34-network", judges.direction(
            np.ravel(results["networks"]["zeros"].isel({"l1,l2": 1})), SPARSE, level=level)),
        Claim("T35a", form("l2")),
        Claim("T35b-decoupled", judges.exact(last.sel(optimizer="AdamW"), kept, CLOSE)),
        Claim("T35b-drift", judges.exact(
            last.sel(optimizer="Adam + L2"), theory.ADAM_DRIFT, DRIFT)),
        Claim("P-stopping-bound", judges.bound(ratio, upper=theory.FLOW_AGAINST_RIDGE)),
        Claim("P-stopping-tight", judges.direction(
            np.ravel(ratio.sel(noise=NOISES[-1]).max("time")), TIGHT, level=level)),
    ]  # fmt: skip


def _ratio(stops: xarray.Dataset) -> xarray.DataArray:
    return stops["descent"] / stops["ridge"]


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Weights by strength; early stops against ridge; networks' weights; decay under Adam."""
    return {
        "paths": _paths(results["fits"]),
        "stopping": _stopping(results["stops"], settings),
        "histograms": _histograms(results["networks"]),
        "decay": _decay(results["decay"]),
    }


def _paths(fits: xarray.Dataset) -> Any:
    """Weights of one replicate by lambda: trained, and after the closed form."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=True)
    one, at = fits.isel(seed=0), fits["strength"].values
    fine = np.linspace(at[0], at[-1], 200)
    for panel, kind, form in (
        (axes[0][0], "l1", theory.lasso), (axes[0][1], "l2", theory.ridge),
    ):  # fmt: skip
        seen = one.sel(kind=kind)
        free = seen["free"].isel(strength=0).values
        curves = np.array([form(free, strength) for strength in fine])
        panel.plot(fine, curves, **(style.THEORY | {"linewidth": 0.8}))
        weights = seen["weight"].transpose("feature", "strength").values
        grid = np.broadcast_to(at, weights.shape)
        gone = weights == 0
        panel.plot(grid[~gone], weights[~gone], "o", color=style.BLUE, label="not 0")
        panel.plot(grid[gone], weights[gone], "s", color=style.RED, label="exactly 0")
        panel.plot([], [], **style.THEORY, label="closed form")
        panel.set_xlabel("strength of the penalty (lambda)")
    axes[0][0].set(ylabel="weight", title="L1: weights become exactly 0")
    axes[0][1].set_title("L2: all shrink, none is 0")
    axes[0][0].legend(loc="upper right")
    figure.suptitle("Trained weights lie on the closed forms")
    return figure


def _stopping(stops: xarray.Dataset, settings: Settings) -> Any:
    """Expected risks by time, and their ratio, which is bounded."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    risks = stops.sel(noise=1.0)
    for name, label, colour, marker in (
        ("descent", "gradient descent, stopped at t", style.BLUE, "o"),
        ("ridge", "ridge, penalty n / t", style.RED, "s"),
    ):
        panels.band(
            left, TIMES, risks[name].transpose("seed", "time"), label, colour, marker=marker
        )
    ratio = _ratio(stops)
    for noise, colour, marker in zip(NOISES, style.COLOURS[2:], style.MARKERS[2:], strict=False):
        panels.band(
            right, TIMES, ratio.sel(noise=noise).transpose("seed", "time"), f"noise {noise:g}",
            colour, marker=marker,
        )  # fmt: skip
    right.axhline(theory.FLOW_AGAINST_RIDGE, **style.THEORY, label="bound 1.6862")
    left.set(xscale="log", xlabel="time t", ylabel="expected |w' - w|²", title="noise 1")
    right.set(xscale="log", xlabel="time t", ylabel="risk of the stop / risk of ridge")
    right.set_title("never above the bound")
    left.set_ylim(0, None)
    right.set_ylim(0, 2.3)
    left.legend(loc="upper right")
    right.legend(loc="upper right", ncols=2)
    figure.supxlabel(
        f"{settings.samples} samples, {settings.features} features; bands: lowest to highest of "
        f"{stops.sizes['seed']} seeds",
        fontsize=8.5,
    )
    figure.suptitle("Stopping early does nearly what an L2 penalty does")
    return figure


def _histograms(found: xarray.Dataset) -> Any:
    """Dense weights of trained networks, without a penalty, with L1, with L2."""
    figure, axes = panels.grid(1, 3, (10, 3.8), sharey=True)
    at = found["weight"].values
    looks = zip(axes[0], NAMES, (style.BLACK, style.RED, style.BLUE), strict=True)
    for i, (panel, name, colour) in enumerate(looks):
        seen = found.isel({"l1,l2": i})
        panel.bar(at, seen["weights"].mean("seed"), width=at[1] - at[0], color=colour)
        panel.set(yscale="log", xlabel="weight", title=name)
        zeros, accuracy = (100 * float(seen[key].mean()) for key in ("zeros", "accuracy"))
        panel.annotate(
            f"exactly 0: {zeros:.0f} %\naccuracy: {accuracy:.1f} %", (0.03, 0.97),
            xycoords="axes fraction", va="top", fontsize=8.5,
        )  # fmt: skip
    axes[0][0].set(ylabel="share of the weights", ylim=(1e-4, 5))
    figure.supxlabel(
        f"digits, two hidden layers; mean of {found.sizes['seed']} seeds; the outermost bins hold "
        "what lies beyond them",
        fontsize=8.5,
    )
    figure.suptitle("L1 empties most of a network's weights, L2 draws them together")
    return figure


def _decay(found: xarray.Dataset) -> Any:
    """A weight without data by step, under Adam with L2 and under AdamW."""
    figure, axes = panels.grid(1, 2, (9, 4), sharey=True)
    steps = found["step"].values
    for panel, rule in zip(axes[0], ("Adam + L2", "AdamW"), strict=True):
        for strength, colour, marker in zip(
            found["strength"].values, style.COLOURS, style.MARKERS, strict=False
        ):
            path = found["weight"].sel(optimizer=rule, strength=strength).isel(seed=0)
            panel.plot(steps, path, color=colour, marker=marker, label=f"lambda {strength:g}")
            if rule == "AdamW":
                panel.plot(steps, theory.decoupled(steps, 0.001, strength), **style.THEORY)
        panel.set(xlabel="step", title=rule)
    axes[0][0].plot(steps, 1 - 0.001 * steps, **style.THEORY, label="the rate a step, or formula")
    axes[0][0].set_ylabel("weight")
    axes[0][0].legend(loc="lower left")
    figure.suptitle("Under Adam a penalty moves a weight by the rate a step, however weak it is")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
