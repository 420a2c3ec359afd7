"""How curved does the loss become where gradient descent on all samples leads?

Descent on a parabola diverges where the curvature is above 2 / lr. Here a tanh network is trained
on all samples at once, by squared error, at several rates, and its sharpness, the largest
eigenvalue of the Hessian, is taken on the way. It rises until it reaches 2 / lr, and stays there;
the loss then no longer falls at every step, and falls all the same.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field, ValidationInfo, field_validator

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.edges import edge
from simdl.theory import descent

QUESTION = "edge_of_stability.question"

HOVER, AROUND = 1.05, 0.1  # sharpness over 2 / lr at the edge: from .95 to 1.15
RISE = 1.5  # times: the margin of progressive sharpening
UNEVEN = 0.1  # of the steps: the margin of a loss that does not fall at each
FALL = 0.9  # times: the margin of a loss that falls all the same
PLACES = {
    "P-edge-small": 1,
    "P-edge-middle": 2,
    "P-edge-large": 3,
}  # of the rates that reach the edge


class Settings(scenario.Settings):
    """Sizes of the experiment."""

    QUICK: ClassVar[dict[str, Any]] = {"seeds": 6, "steps": 600, "looks": 15}
    FULL: ClassVar[dict[str, Any]] = {"seeds": 32, "looks": 50}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 16
    samples: Annotated[int, Field(ge=10, le=1400, description="digits trained on")] = 256
    width: Annotated[int, Field(ge=2, description="units of each hidden layer")] = 24
    steps: Annotated[int, Field(ge=20, description="training steps at every rate")] = 1000
    looks: Annotated[int, Field(ge=10, description="how often the sharpness is taken")] = 20
    slow: Annotated[
        float, Field(gt=0, description="a learning rate that does not reach the edge")
    ] = 0.1  # fmt: skip
    rates: Annotated[
        tuple[float, float, float], Field(description="learning rates that do, rising")
    ] = (1.5, 2.0, 2.5)  # fmt: skip

    @field_validator("looks")
    @classmethod
    def _are_even(cls, looks: int, given: ValidationInfo) -> int:
        if given.data.get("steps", 0) % looks:
            raise ValueError("must divide the steps")
        return looks

    @field_validator("rates")
    @classmethod
    def _rise(cls, rates: tuple[float, ...], given: ValidationInfo) -> tuple[float, ...]:
        if not given.data.get("slow", 0.0) < rates[0] < rates[1] < rates[2]:
            raise ValueError("must rise, from above the slow one")
        return rates


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """One training a rate and a seed; rates share the weights they start from."""
    s = settings
    base = {"samples": s.samples, "width": s.width, "steps": s.steps, "looks": s.looks}
    rates = {"lr": [s.slow, *s.rates]}
    return {"descent": simdl.Sweep(base, rates, s.replicates, measure=edge)}


def late(values: xarray.DataArray, dim: str) -> xarray.DataArray:
    """The second half of the training."""
    return values.isel({dim: slice(values.sizes[dim] // 2, None)})


def rises(loss: xarray.DataArray) -> xarray.DataArray:
    """Share of the steps at which the loss rises."""
    return (loss.diff("step") > 0).mean("step")


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, found = settings.level, results["descent"]
    ratio, loss = found["ratio"], found["loss"]
    hovering = late(ratio, "look").median("look")
    rate = 1  # it trains longest before it is at the edge
    rising = (hovering / ratio.isel(look=0)).isel(lr=rate)
    second = late(loss.isel(lr=rate), "step")
    tenth = max(1, second.sizes["step"] // 10)
    fallen = second[..., -tenth:].mean("step") / second[..., :tenth].mean("step")

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    return [
        Claim("P-edge-start", direction(ratio.isel(look=0).max("lr"), 1.0, above=False)),
        Claim("P-edge-rises", direction(rising, RISE, log=True)),
        *(
            Claim(name, judges.equivalence(
                np.ravel(hovering.isel(lr=i)), HOVER, AROUND, absolute=True, level=level))
            for name, i in PLACES.items()
        ),
        Claim("P-edge-never", direction(
            ratio.isel(lr=0).max("look"), HOVER - AROUND, above=False)),
        Claim("P-edge-even", judges.bound(rises(loss.isel(lr=0)), upper=0.0)),
        Claim("P-edge-uneven", direction(rises(second), UNEVEN)),
        Claim("P-edge-falls", direction(fallen, FALL, above=False, log=True)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Sharpness and loss by step at every rate."""
    return {"edge": _edge(results["descent"])}


def _edge(found: xarray.Dataset) -> Any:
    """Sharpness of all seeds by step, with 2 / lr dashed; the loss of one seed by step."""
    figure, axes = panels.grid(1, 2, (9, 4.4), sharey=False)
    left, right = axes[0]
    looks, steps = found["look"].values, found["step"].values
    for i, lr in enumerate(found["lr"].values):
        limit, colour = descent.largest_curvature(float(lr)), style.COLOURS[i]
        own = found.sel(lr=lr)
        sharp = limit * own["ratio"].transpose("seed", "look")
        mark = {"marker": style.MARKERS[i], "markevery": (i, 4)}
        panels.band(left, looks, sharp, f"rate {lr:g}", colour, log=True, **mark)
        if i:
            left.axhline(limit, **(style.THEORY | {"color": colour}))
        right.plot(steps, own["loss"].isel(seed=0), color=colour, linewidth=0.9)
    left.set(yscale="log", xlabel="step", ylabel="sharpness", title="sharpness (dashed: 2 / rate)")
    right.set(yscale="log", xlabel="step", ylabel="training loss (mean squared error)")
    right.set_title("loss of one seed")
    panels.legend(figure, left, bands=found.sizes["seed"])
    figure.suptitle("Sharpness rises to 2 / rate and stays; the loss then jumps, and still falls")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
