"""When does a network overfit, and what helps?

Digits, few of them, some with wrong labels: the validation loss falls and then rises while the
training loss goes on falling. Rules that stop there are compared by what they find and what they
cost, and so are the other remedies: more data, changed copies, dropout, penalties, normalisation.
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
from simdl.scenario.intervals import proportion_interval, t_interval
from simdl.scenario.overfitted import RULES, STOP, course, has_u_shape, outcome, smoothed
from simdl.scenario.tuning import Tuned

QUESTION = "overfitting.question"

RISE, MOST = 0.05, 0.7  # of the validation loss above its minimum; of the seeds
CLEAN, WRONG = 0.0, 0.2  # shares of the training labels
FIRST, SLOWER = "first rise", [name for name in RULES if name != "first rise"]
NONE, NORM = "", "batch norm"
REMEDIES = (
    NONE, "more data", "shifts", "noise", "early stopping", "dropout", NORM, "L1", "L2",
    "dropout + L2", "noise + dropout", "noise + early stopping",
)  # fmt: skip


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 16, "clean": 24, "others": 5, "norms": 12, "rates": (0.0003,),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 512, "clean": 512, "others": 128, "norms": 128}

    seeds: Annotated[
        int, Field(ge=2, description="replicates of the claims on early stopping")
    ] = 128  # fmt: skip
    clean: Annotated[int, Field(ge=2, description="replicates with right labels only")] = 176
    others: Annotated[int, Field(ge=2, description="replicates of every remedy and size")] = 32
    norms: Annotated[int, Field(ge=2, description="replicates of batch normalisation")] = 48
    samples: Annotated[int, Field(ge=50, le=1_000, description="digits trained on")] = 400
    sizes: Annotated[
        tuple[int, ...], Field(min_length=2, description="numbers of digits, from few to many")
    ] = (100, 200, 400, 800)
    few: Annotated[int, Field(ge=50, le=1_000, description="digits behind batch norm")] = 100
    width: Annotated[int, Field(ge=1, description="units of both hidden layers")] = 128
    lr: Annotated[float, Field(gt=0, description="learning rate of Adam")] = 0.001
    epochs: Annotated[int, Field(ge=20, description="times the samples are seen")] = 100
    rates: Annotated[
        tuple[float, ...], Field(description="rates to tune batch normalisation from")
    ] = (0.0001, 0.0003, 0.001)


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """Whole courses; rules of stopping; sizes and remedies; batch normalisation, tuned."""
    s = settings
    net = {"width": s.width, "optimizer": {"lr": s.lr}, "batch": 32, "epochs": s.epochs}
    noisy = net | {"samples": s.samples, "wrong": WRONG}
    few = {"width": s.width, "batch": 10, "epochs": s.epochs, "samples": s.few, "wrong": CLEAN}
    clean, others, norms = ([s.seed + i for i in range(n)] for n in (s.clean, s.others, s.norms))
    return {
        "course": simdl.Sweep(noisy, {}, s.replicates, measure=course),
        "clean": simdl.Sweep(noisy | {"wrong": CLEAN}, {}, clean, measure=course),
        "rules": simdl.Sweep(noisy, {"rule": [*RULES]}, s.replicates, measure=outcome),
        "sizes": simdl.Sweep(
            net | {"wrong": WRONG}, {"samples": [*s.sizes]}, others, measure=outcome
        ),
        "remedies": simdl.Sweep(noisy, {"remedies": [*REMEDIES]}, others, measure=outcome),
        "norm": Tuned(few, {"remedies": [NONE, NORM]}, s.rates, s.pilots, norms, measure=outcome),
    }


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, rules, sizes = settings.level, results["rules"], results["sizes"]
    courses = (results["course"], results["clean"])
    noisy, clean = (has_u_shape(found, RISE) for found in courses)
    end, stop, first = courses[0].isel(epoch=-1), rules.sel(rule=STOP), rules.sel(rule=FIRST)
    norm = results["norm"].isel({"optimizer.lr": 0}, missing_dims="ignore")["test_loss"]

    def below(values: Any) -> judges.Judgement:
        return judges.direction(np.ravel(values), 1.0, above=False, log=True, level=level)

    def share(seen: xarray.DataArray) -> judges.Judgement:
        return judges.proportion_direction(int(seen.sum()), seen.size, MOST, level=level)

    def slower(name: str) -> Any:
        return np.exp(np.log(rules[name].sel(rule=SLOWER) / first[name]).mean("rule"))

    losses = np.log(sizes["test_loss"].transpose("seed", "samples"))
    return [
        Claim("T31", judges.trend(
            np.log(sizes["samples"]), losses, margin=0.0, above=False, level=level)),
        Claim("T32a", share(noisy)),
        Claim("T32b-loss", below(stop["test_loss"] / end["test_loss"])),
        Claim("T32b-accuracy", judges.direction(
            np.ravel(stop["test_accuracy"] - end["test_accuracy"]), 0.0, level=level)),
        Claim("T32c", below(first["test_loss"] / stop["test_loss"])),
        Claim("T32d", share(clean)),
        Claim("T33", below(norm.sel(remedies=NORM) / norm.sel(remedies=NONE))),
        Claim("P-criteria-time", judges.direction(
            np.ravel(slower("epochs")), 1.0, log=True, level=level)),
        Claim("P-criteria-loss", below(slower("test_loss"))),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Courses of the losses; what rules of stopping gain and cost; remedies; sizes."""
    return {
        "curves": _curves(results["course"], results["clean"], settings),
        "criteria": _criteria(results["course"], results["rules"], settings),
        "remedies": _remedies(results["remedies"], settings),
        "samples": _samples(results["sizes"], results["norm"], settings),
    }


def _curves(noisy: xarray.Dataset, clean: xarray.Dataset, settings: Settings) -> Any:
    """Training and validation loss by epoch, with wrong labels and with right ones; shares."""
    figure, axes = panels.grid(1, 3, (10.5, 4.2), sharey=False, width_ratios=(3, 3, 1.6))
    right = axes[0][2]
    both = ((noisy, WRONG, style.RED), (clean, CLEAN, style.BLUE))
    for place, (panel, (found, wrong, dots)) in enumerate(zip(axes[0], both, strict=False)):
        for name, colour, dash in (("train", style.BLUE, "-"), ("validation", style.RED, "--")):
            losses = smoothed(found[f"{name}_loss"]).transpose("seed", "epoch")
            panels.band(panel, losses["epoch"], losses, name, colour, linestyle=dash)
        lowest = losses.mean("seed")[losses.mean("seed").argmin("epoch")]
        panel.plot(lowest["epoch"], lowest, "v", color=style.BLACK, label="lowest", zorder=6)
        panel.set(xlabel="epoch", ylim=(0, 1.6), title=f"{wrong:.0%} wrong labels")
        seen = has_u_shape(found, RISE)
        middle, low, high = proportion_interval(int(seen.sum()), seen.size, settings.level)
        spread = [[middle - low], [high - middle]]
        right.errorbar(place, middle, spread, fmt="o", color=dots, capsize=4)
    axes[0][0].set_ylabel("loss (nats)")
    axes[0][0].legend(loc="upper right")
    panels.level(right, MOST)
    right.set(xlim=(-0.6, 1.6), ylim=(0, 1.03), title="U-shaped", ylabel="share of seeds")
    right.set_xticks([0, 1], [f"{WRONG:.0%} wrong", "all right"])
    figure.supxlabel(
        f"{settings.samples} digits; smoothed losses, bands: lowest to highest of "
        f"{noisy.sizes['seed']} and {clean.sizes['seed']} seeds; "
        f"share: {settings.level:.1%} interval",
        fontsize=8.5,
    )
    figure.suptitle("The validation loss turns where there are wrong labels to be learned by heart")
    return figure


def _interval(values: Any, level: float) -> tuple[float, list[list[float]]]:
    middle, low, high = t_interval(np.ravel(values), level)
    return middle, [[middle - low], [high - middle]]


def _criteria(found: xarray.Dataset, rules: xarray.Dataset, settings: Settings) -> Any:
    """Loss and accuracy that rules find, by the epochs they train: against end and first rise."""
    figure, axes = panels.grid(1, 3, (11, 4.2), sharey=False)
    end, first = found.isel(epoch=-1), rules.sel(rule=FIRST)
    best = found["test_loss"].min("epoch"), found["test_accuracy"].max("epoch")
    shown = (
        ("test_loss", 1, end, best[0], "test loss less that at the end (nats)"),
        ("test_loss", 1, first, None, "test loss less that of the first rise (nats)"),
        ("test_accuracy", 100, end, best[1], "accuracy less that at the end (points)"),
    )
    for panel, (name, scale, base, ideal, label) in zip(axes[0], shown, strict=True):
        for rule, colour, marker in zip(RULES, style.COLOURS, style.MARKERS, strict=True):
            gain = scale * (rules[name].sel(rule=rule) - base[name])
            middle, spread = _interval(gain, settings.level)
            epochs = float(rules["epochs"].sel(rule=rule).mean())
            panel.errorbar(
                epochs,
                middle,
                spread,
                fmt=marker,
                color=colour,
                capsize=3,
                markersize=6,
                label=rule,
            )
        panels.level(panel, 0.0, "the end" if base is end else "")
        if ideal is not None:
            panel.axhline(float(scale * (ideal - base[name]).mean()), **style.THEORY)
        panel.set(xlabel="epochs trained", ylabel=label)
    for panel, title in zip(
        axes[0], ("gain over the end", "gain over the first rise", "accuracy"), strict=True
    ):
        panel.set_title(title)
    handles, labels = axes[0][0].get_legend_handles_labels()
    handles.append(axes[0][0].lines[-1])
    labels.append("best epoch on the test set itself")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle("Rules that wait find a lower loss than the first rise does, for more training")
    return figure


def _remedies(found: xarray.Dataset, settings: Settings) -> Any:
    """Test loss and accuracy of every remedy, with intervals."""
    figure, axes = panels.grid(1, 2, (9.5, 4.6), sharey=True)
    for panel, name, scale in zip(axes[0], ("test_loss", "test_accuracy"), (1, 100), strict=True):
        for place, remedy in enumerate(REMEDIES):
            middle, spread = _interval(scale * found[name].sel(remedies=remedy), settings.level)
            colour = style.BLACK if remedy == NONE else style.BLUE if "+" in remedy else style.RED
            panel.errorbar(middle, -place, xerr=spread, fmt="o", color=colour, capsize=3)
        panel.axvline(
            float(scale * found[name].sel(remedies=NONE).mean()), color=style.BLACK, linestyle=":"
        )
    axes[0][0].set(xlabel="test loss (nats)", title="loss: left is better")
    axes[0][1].set(xlabel="accuracy (%)", title="accuracy: right is better")
    axes[0][0].set_yticks([-i for i in range(len(REMEDIES))], [r or "none" for r in REMEDIES])
    figure.supxlabel(
        f"{settings.samples} digits, {WRONG:.0%} wrong labels; {settings.level:.1%} intervals over "
        f"{found.sizes['seed']} seeds",
        fontsize=8.5,
    )
    figure.suptitle("What helps against learning wrong labels by heart")
    return figure


def _samples(sizes: xarray.Dataset, norm: xarray.Dataset, settings: Settings) -> Any:
    """Losses by the number of samples; test loss with and without batch normalisation."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False, width_ratios=(3, 2))
    left, right = axes[0]
    at = sizes["samples"].values
    for name, colour, marker in (("test", style.RED, "s"), ("train", style.BLUE, "o")):
        values = sizes[f"{name}_loss"].transpose("seed", "samples")
        panels.band(left, at, values, name, colour, marker=marker)
    left.set(xscale="log", xlabel="digits trained on", ylabel="loss at the end (nats)")
    left.set_xticks(at, [str(n) for n in at])
    left.minorticks_off()
    left.set(ylim=(0, None), title=f"{WRONG:.0%} wrong labels")
    left.legend(loc="upper right")
    arms = [np.ravel(norm["test_loss"].sel(remedies=arm)) for arm in (NONE, NORM)]
    right.plot([0, 1], arms, color=style.BLACK, alpha=0.25, linewidth=0.8)
    for place, (values, colour) in enumerate(zip(arms, (style.BLACK, style.RED), strict=True)):
        middle, spread = _interval(values, settings.level)
        right.errorbar(place, middle, spread, fmt="D", color=colour, capsize=5, markersize=6)
    right.set_xticks([0, 1], ["none", "batch norm"])
    right.set(xlim=(-0.5, 1.5), ylabel="test loss (nats)")
    right.set_title(f"{settings.few} digits, labels right, tuned")
    figure.supxlabel(
        f"bands: lowest to highest of {sizes.sizes['seed']} seeds; right: a line a seed, "
        f"{settings.level:.1%} intervals",
        fontsize=8.5,
    )
    figure.suptitle("More data overfit less; batch normalisation helps with few right labels")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
