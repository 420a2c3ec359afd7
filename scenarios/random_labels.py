"""Can a network learn by heart what makes no sense?

The labels of a training set are drawn at random, so that nothing can be learned from them. The
network that reads new digits well reproduces these labels to the last one as well. That it can fit
anything is therefore not why it errs, nor why it does not.
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
from simdl.scenario.memorized import memorize

QUESTION = "random_labels.question"

CHANCE, AT_CHANCE = 0.1, 0.03  # accuracy of guessing, and what counts as equal to it
BY_HEART = 0.99  # of training accuracy
WELL = 0.8  # accuracy on new samples, of the same network on true labels
TRUE, RANDOM = 0.0, 1.0  # shares


class Settings(scenario.Settings):
    """Sizes of the experiment."""

    QUICK: ClassVar[dict[str, Any]] = {"seeds": 24, "shares": (0.0, 0.5, 1.0)}
    FULL: ClassVar[dict[str, Any]] = {"seeds": 256}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 64
    samples: Annotated[int, Field(ge=32, le=1_078, description="digits trained on")] = 400
    width: Annotated[int, Field(ge=1, description="units of both hidden layers")] = 128
    lr: Annotated[float, Field(gt=0, description="learning rate of Adam")] = 0.003
    epochs: Annotated[int, Field(ge=10, description="times the samples are seen")] = 100
    looks: Annotated[int, Field(ge=5, description="how often the accuracy is taken")] = 50
    shares: Annotated[
        tuple[float, ...],
        Field(description="shares of the labels that are drawn anew, beside none and all"),
    ] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

    @field_validator("looks")
    @classmethod
    def _are_even(cls, looks: int, given: ValidationInfo) -> int:
        if given.data.get("epochs", 0) % looks:
            raise ValueError("must divide the epochs")
        return looks

    @field_validator("shares")
    @classmethod
    def _are_shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("must lie between 0 and 1")
        return shares


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """One training a share and a seed; shares have the digits and the first weights in common."""
    s = settings
    base = {
        "samples": s.samples, "width": s.width, "lr": s.lr, "epochs": s.epochs, "looks": s.looks,
    }  # fmt: skip
    shares = {"share": sorted({*s.shares, TRUE, RANDOM})}
    return {"training": simdl.Sweep(base, shares, s.replicates, measure=memorize)}


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, end = settings.level, results["training"].isel(epoch=-1)
    random, true = end.sel(share=RANDOM), end.sel(share=TRUE)
    return [
        Claim("P-random-memorized", judges.direction(
            np.ravel(random["training"]), BY_HEART, level=level)),
        Claim("P-random-chance", judges.equivalence(
            np.ravel(random["test"]), CHANCE, AT_CHANCE, absolute=True, level=level)),
        Claim("P-random-contrast", judges.direction(np.ravel(true["test"]), WELL, level=level)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Accuracy by epoch and by the share of random labels."""
    return {"labels": _labels(results["training"], settings)}


def _labels(found: xarray.Dataset, settings: Settings) -> Any:
    """Training accuracy by epoch, of each share; accuracies in the end, by share."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=True)
    left, right = axes[0]
    epochs, shares = found["epoch"].values, found["share"].values
    shown = [TRUE, float(shares[len(shares) // 2]), RANDOM]
    for share, colour, marker in zip(shown, style.COLOURS, style.MARKERS, strict=False):
        values = found["training"].sel(share=share).transpose("seed", "epoch")
        mark = {"marker": marker, "markevery": max(1, len(epochs) // 10)}
        panels.band(left, epochs, values, f"{share:.0%} random labels", colour, **mark)
    end = found.isel(epoch=-1)
    for name, label, colour, marker in (
        ("training", "training labels", style.BLACK, "D"),
        ("test", "new digits", style.ORANGE, "v"),
    ):
        values = end[name].transpose("seed", "share")
        panels.band(right, 100 * shares, values, label, colour, marker=marker)
    left.set(xlabel="epoch", ylabel="accuracy", title="on the training labels", ylim=(0, 1.03))
    right.set(xlabel="random labels (%)", title=f"after {settings.epochs} epochs")
    for panel, row in ((left, "lower right"), (right, "center left")):
        panels.level(panel, CHANCE, "guessing" if panel is right else "", left=True)
        panel.legend(loc=row)
    figure.supxlabel(
        f"{settings.samples} digits; bands: lowest to highest of {found.sizes['seed']} seeds",
        fontsize=8.5,
    )
    figure.suptitle("Random labels are learned to the last one, and nothing else is learned")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
