"""What does pooling do, and is the maximum better than the mean?

Networks with and without pooling learn sequences and images from few samples. Beside them stands
what can be said exactly: shifts that a convolution and a mean over all positions do not notice, and
how well a mean and a maximum of features that are on or off tell two classes apart.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field, field_validator

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.intervals import t_interval
from simdl.scenario.pooled import LOOKS, accuracy, bernoulli, shifts
from simdl.scenario.tuning import Tuned
from simdl.theory import pooling as theory

QUESTION = "pooling.question"

BEATS = 0.03  # of accuracies: more than this is better
EXACT, CLOSE = 1e-12, 0.02  # relative
WAYS = ("none", "stride", "average", "max")
PUBLISHED = {"none": 0.592, "stride": 0.574, "average": 0.780, "max": 0.782}  # 1,000 samples
RATE = 0.01  # of the published runs, and of all that are not tuned
FIRST, SECOND = 0.1, 0.05  # chances of a feature, in the two classes
COUNTS = (4, 8, 12, 13, 14, 16, 32, 64)  # the gap of the maximum is widest at 13.3
MOST = 6  # the largest shift
LOOK = dict(
    zip(("none", "stride", "average", "max", "global"),
        zip(style.COLOURS, style.MARKERS, strict=True), strict=False)
)  # fmt: skip


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 5, "others": 2, "digits": 6, "steps": 180, "image_steps": 120,
        "rates": (0.01,), "sizes": (300, 1_000), "tuning": 1,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {
        "seeds": 128, "others": 32, "digits": 128, "steps": 6_000, "draws": 1_000_000,
    }  # fmt: skip

    seeds: Annotated[int, Field(ge=2, description="replicates with 1,000 sequences")] = 20
    others: Annotated[
        int, Field(ge=2, description="replicates of every size, and at the published rate")
    ] = 6
    digits: Annotated[int, Field(ge=2, description="replicates in two dimensions")] = 28
    channels: Annotated[int, Field(ge=1, description="of the convolutions over sequences")] = 20
    samples: Annotated[int, Field(ge=100, le=3_500, description="sequences trained on")] = 1_000
    sizes: Annotated[
        tuple[int, ...], Field(min_length=2, description="numbers of sequences, from few to many")
    ] = (300, 1_000, 3_000)
    steps: Annotated[int, Field(ge=LOOKS, description="steps of every training")] = 600
    images: Annotated[int, Field(ge=50, le=500, description="digits trained on")] = 300
    image_channels: Annotated[int, Field(ge=1, description="of the convolutions over digits")] = 8
    image_steps: Annotated[int, Field(ge=LOOKS, description="steps on digits")] = 300
    rates: Annotated[tuple[float, ...], Field(description="rates to tune from")] = (
        0.005, 0.01, 0.02, 0.04,
    )  # fmt: skip
    tuning: Annotated[int, Field(ge=1, le=4, description="pilot seeds of every rate")] = 3
    nets: Annotated[int, Field(ge=1, le=1_000, description="networks whose input is shifted")] = 16
    draws: Annotated[int, Field(ge=100, description="of features that are on or off")] = 200_000

    @field_validator("steps", "image_steps")
    @classmethod
    def _are_even(cls, steps: int) -> int:
        if steps % LOOKS:
            raise ValueError(f"must be a multiple of {LOOKS}")
        return steps


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """Ways to pool at the published rate, tuned, by size, on digits; shifts; features."""
    s = settings
    few, digits, nets = ([s.seed + i for i in range(n)] for n in (s.others, s.digits, s.nets))
    line = {"data": "mnist1d", "channels": s.channels, "steps": s.steps}
    image = {
        "data": "digits", "channels": s.image_channels, "steps": s.image_steps,
        "samples": s.images, "optimizer": {"lr": RATE},
    }  # fmt: skip
    fixed, tuned = line | {"optimizer": {"lr": RATE}}, line | {"samples": s.samples}
    pilots = s.pilots[: s.tuning]
    return {
        "ways": simdl.Sweep(
            fixed | {"samples": s.samples}, {"pooling": [*WAYS]}, s.replicates[:16],
            measure=accuracy,
        ),
        "tuned": Tuned(
            tuned, {"pooling": ["none", "average", "max"]}, s.rates, pilots, s.replicates,
            measure=accuracy, score="validation_error",
        ),
        "sizes": simdl.Sweep(
            fixed, {"samples": [*s.sizes], "pooling": [*WAYS, "global"]}, few, measure=accuracy
        ),
        "digits": simdl.Sweep(
            image, {"pooling": ["none", "average", "max"]}, digits, measure=accuracy
        ),
        "shifts": simdl.Sweep(
            {"channels": 8, "most": MOST}, {"stride": [1, 2]}, nets, measure=shifts
        ),
        "features": simdl.Sweep(
            {"first": FIRST, "second": SECOND, "counts": [*COUNTS], "draws": s.draws}, {},
            [s.seed], measure=bernoulli,
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level = settings.level
    lines, images = (_end(results[key]) for key in ("tuned", "digits"))
    change, features = results["shifts"]["change"], results["features"].isel(seed=0)

    def beats(found: xarray.DataArray, better: str, worse: str) -> judges.Judgement:
        gain = found.sel(pooling=better) - found.sel(pooling=worse)
        return judges.direction(np.ravel(gain), BEATS, level=level)

    measured = _separability(features).sel(pool="average") / [
        theory.average_separability(FIRST, SECOND, count) for count in COUNTS
    ]
    means = features["mean"].sel(pool="max").transpose("class", "count").values / [
        [theory.maximum_mean(share, count) for count in COUNTS] for share in (FIRST, SECOND)
    ]
    gaps = -features["mean"].sel(pool="max").diff("class")
    exact = change.sel(stride=1)
    even = change.sel(stride=2, shift=slice(0, None, 2))
    return [
        Claim("T38", beats(lines, "average", "none")),
        Claim("T39a", beats(lines, "max", "none")),
        Claim("T39b", beats(images, "max", "average")),
        Claim("P-shift-exact", judges.exact(exact, 0.0, EXACT)),
        Claim("P-shift-stride", judges.exact(even, 0.0, EXACT)),
        Claim("P-bernoulli-average", judges.exact(measured, 1.0, CLOSE)),
        Claim("P-bernoulli-max", judges.exact(means, 1.0, CLOSE)),
        Claim("P-bernoulli-peak", judges.bound(
            gaps / gaps.sel(count=round(theory.widest_gap(FIRST, SECOND))), upper=1 + CLOSE)),
    ]  # fmt: skip


def _end(found: xarray.Dataset) -> xarray.DataArray:
    """Accuracy at the end of every training."""
    return found["accuracy"].isel(step=-1)


def _separability(features: xarray.Dataset) -> xarray.DataArray:
    """Distance of the classes' means over the sum of their standard deviations."""
    return abs(features["mean"].diff("class").isel({"class": 0})) / features["spread"].sum("class")


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Accuracy by way, size and budget; shifts and features that are on or off."""
    return {"accuracy": _accuracy(results, settings), "exact": _exact(results, settings)}


def _dots(panel: Any, found: xarray.DataArray, ways: tuple[str, ...], level: float) -> None:
    """A mean with its interval for each way, in percent."""
    for place, way in enumerate(ways):
        middle, low, high = t_interval(100 * np.ravel(found.sel(pooling=way)), level)
        spread = [[middle - low], [high - middle]]
        colour, marker = LOOK[way]
        panel.errorbar(place, middle, spread, fmt=marker, color=colour, capsize=4, markersize=6)
    panel.set_xticks(range(len(ways)), ways)
    panel.set_xlim(-0.5, len(ways) - 0.5)


def _accuracy(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Accuracy at the published rate: by way, by size, by steps, on digits."""
    figure, axes = panels.grid(2, 2, (9.5, 7.4), sharey=False)
    (left, middle), (below, last) = axes
    ways, sizes, images = results["ways"], results["sizes"], results["digits"]
    _dots(left, _end(ways), WAYS, settings.level)
    left.plot(
        range(len(WAYS)), [100 * PUBLISHED[way] for way in WAYS], "_", color=style.BLACK,
        markersize=22, label="published, one seed",
    )  # fmt: skip
    left.legend(loc="upper left")
    left.set_title(f"{settings.samples} sequences")
    for way in (*WAYS, "global"):
        colour, marker = LOOK[way]
        values = 100 * _end(sizes).sel(pooling=way).transpose("seed", "samples")
        panels.band(middle, sizes["samples"], values, way, colour, marker=marker)
    middle.set(xscale="log", xlabel="sequences trained on", title="by training set")
    middle.set_xticks(sizes["samples"].values, [str(n) for n in sizes["samples"].values])
    middle.minorticks_off()
    middle.legend(loc="lower right")
    for way in WAYS:
        colour, marker = LOOK[way]
        values = 100 * ways["accuracy"].sel(pooling=way).transpose("seed", "step")
        panels.band(below, ways["step"], values, way, colour, marker=marker)
    below.set(xlabel="steps", title=f"by budget, {settings.samples} sequences")
    _dots(last, _end(images), ("none", "average", "max"), settings.level)
    last.set_title(f"{settings.images} digits, two dimensions")
    for panel in (left, below):
        panel.set_ylabel("accuracy on new samples (%)")
    figure.supxlabel(
        f"two convolutions and a linear map; {settings.level:.1%} intervals, bands: lowest to "
        f"highest of {ways.sizes['seed']} seeds ({sizes.sizes['seed']} by training set)",
        fontsize=8.5,
    )
    figure.suptitle(
        "Pooling helps on few sequences; on digits the maximum is not ahead of the mean"
    )
    return figure


def _exact(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Outputs of shifted inputs; means and separability of pooled features."""
    figure, axes = panels.grid(1, 3, (11, 4), sharey=False)
    left, middle, right = axes[0]
    change, features = results["shifts"]["change"], results["features"].isel(seed=0)
    at = change["shift"].values
    for stride, colour, marker in ((1, style.BLUE, "o"), (2, style.RED, "s")):
        values = change.sel(stride=stride).max("seed").clip(1e-17)
        left.plot(at, values, color=colour, marker=marker, label=f"stride {stride}")
    left.set(yscale="log", xlabel="shift (positions)", ylabel="largest change of an output")
    left.set(title="mean over all positions", ylim=(1e-17, 1e4))
    panels.level(left, EXACT, "1e-12")
    left.legend(loc="upper right", ncols=2)
    fine = np.geomspace(COUNTS[0], COUNTS[-1], 200)
    gaps = -features["mean"].diff("class").isel({"class": 0})
    separability = _separability(features)
    mean_gap = np.full(len(fine), FIRST - SECOND)
    max_gap = [theory.maximum_mean(FIRST, n) - theory.maximum_mean(SECOND, n) for n in fine]
    split = [
        [form(FIRST, SECOND, n) for n in fine]
        for form in (theory.average_separability, theory.maximum_separability)
    ]
    for panel, found, curves in ((middle, gaps, (mean_gap, max_gap)), (right, separability, split)):
        for pool, curve in zip(("average", "max"), curves, strict=True):
            colour, marker = LOOK[pool]
            panel.plot(COUNTS, found.sel(pool=pool), marker, color=colour, label=pool)
            panel.plot(fine, curve, **style.THEORY)
        panel.set(xscale="log", xlabel="features pooled")
        panel.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
        panel.minorticks_off()
    middle.axvline(theory.widest_gap(FIRST, SECOND), color=style.BLACK, linewidth=0.8)
    middle.set(ylabel="distance of the classes' means", title="widest at P*")
    right.set(ylabel="distance / sum of deviations", title="separability")
    right.legend(loc="upper left")
    figure.suptitle(
        f"A mean over all positions does not notice shifts; features on in {FIRST:.0%} and "
        f"{SECOND:.0%} of the cases, dashed: theory"
    )
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
