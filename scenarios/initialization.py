"""Which initial weights suit which network, and what do they matter to training?

Four experiments. The first pass: how signal and gradient change from layer to layer, next to
theory. Training: every initialisation with every activation at several depths; badly scaled
weights against their remedies; and He against Glorot in 30 layers, under SGD and under Adam. The
Jacobian: how evenly a network stretches its input. And a deep linear network, mode by mode.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.birth import at_birth
from simdl.scenario.clipping import CHANCE, NEVER, trained
from simdl.scenario.initial import deep_linear, spectrum
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import propagation

QUESTION = "initialization.question"

INIT, DEPTH, ACTIVATION = "network.init", "network.depth", "network.activation"
SHOWN = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
LARGE = {"name": "scaled", "gain": 6.0}
INITS: dict[str, Any] = {
    "zeros": "zeros", "N(0, 0.01²)": {"name": "normal", "std": 0.01},
    "U(±1/√n)": {"name": "scaled", "gain": 1 / 3, "uniform": True}, "LeCun": "lecun_normal",
    "Glorot": "glorot_normal", "Glorot uniform": "glorot_uniform", "orthogonal": "orthogonal",
    "He": "he_normal", "He uniform": "he_uniform", "orthogonal, √2": {
        "name": "orthogonal", "gain": math.sqrt(2)},
    "asymmetric": "randomized_asymmetric", "s² = 6": LARGE,
}  # fmt: skip
FIRST = {"N(0, 0.01²)": 0.0064, "U(±1/√n)": 1 / 3, "Glorot": 1.0, "orthogonal": 1.0,
         "He": 2.0, "s² = 6": 6.0}  # s² = n Var(w) of layers 64 wide  # fmt: skip
SPECTRA = (("identity", "lecun_normal", 2), ("identity", "orthogonal", 1),
           ("relu", "he_normal", 20), ("relu", "orthogonal", 8))  # nets a replicate  # fmt: skip
PAIR = "activation,init,nets"
GAINS = (6.0, 2.0)  # s^2 of nets that are judged by their training: large, He's
FIT = {"width": 32, "depth": 8, "clip": NEVER}  # of these nets
MARGIN = 0.1  # of accuracy, that a remedy must bring
GUESSING = math.log(10)  # loss of equal odds for ten digits, nats
GRID = {"SGD": (1e-3, 1e-2, 0.1), "Adam": (1e-4, 1e-3, 1e-2)}  # rates tuned over


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "spectra_width": 128, "fit_steps": 150, "pilot_seeds": 2,
        "survey_depths": (2, 8), "survey_seeds": 1, "survey_steps": 100, "deep": 24,
        "survey_rates": (0.03,), "fit_rates": (1e-3, 1e-2, 0.1),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {
        "seeds": 64, "survey_seeds": 8, "survey_steps": 1000, "steps": 1000,
    }  # fmt: skip

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    spectra_width: Annotated[int, Field(ge=16, description="units a layer of the spectra")] = 300
    spectra_depths: Annotated[
        tuple[int, ...], Field(min_length=1, description="layers of the spectra")
    ] = (2, 5, 10)  # fmt: skip
    deep: Annotated[int, Field(ge=3, description="hidden layers of the deep ReLU nets")] = 30
    deep_width: Annotated[int, Field(ge=2, description="units of each of them")] = 48
    steps: Annotated[int, Field(ge=10, description="their training steps, batches of 32")] = 500
    fit_steps: Annotated[
        int, Field(ge=10, description="training steps of badly scaled nets and fitting ones")
    ] = 300  # fmt: skip
    fit_rates: Annotated[
        tuple[float, ...], Field(description="learning rates these are tuned over (SGD)")
    ] = (3e-4, 1e-3, 3e-3, 0.03, 0.1, 0.3)  # fmt: skip
    pilot_seeds: Annotated[
        int, Field(ge=1, le=1000, description="seeds the rates are tuned on")
    ] = 4  # fmt: skip
    survey_depths: Annotated[
        tuple[int, ...], Field(description="hidden layers of the survey of all initialisations")
    ] = (2, 8, 24)  # fmt: skip
    survey_rates: Annotated[
        tuple[float, ...], Field(description="its learning rates (SGD); the better one counts")
    ] = (0.01, 0.1)  # fmt: skip
    survey_steps: Annotated[int, Field(ge=10, description="its training steps")] = 200
    survey_seeds: Annotated[int, Field(ge=1, description="its replicates")] = 1

    @property
    def pilots(self) -> list[int]:
        """As many as it takes to see that a rate loses some of them."""
        return [2**31 + self.seed + i for i in range(self.pilot_seeds)]


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, seeds = settings, settings.replicates
    born = {"network": {"width": 64, "depth": 20}, "nets": 1, "batch": 32, "cotangent": "random"}
    deep = {"width": s.deep_width, "depth": s.deep, "activation": "relu"}
    long = {"network": deep, "training": {"steps": s.steps}}
    arms = {INIT: ["he_normal", "glorot_normal"]}
    fit = FIT | {"steps": s.fit_steps}
    survey = {"network": {"width": 32}, "training": {"steps": s.survey_steps}}
    inits, kinds = list(INITS.values()), list(SHOWN)
    made: dict[str, simdl.Sweep | Tuned] = {
        "first_pass": simdl.Sweep(
            born, {ACTIVATION: kinds, INIT: [INITS[i] for i in FIRST]}, s.pilots, measure=at_birth
        ),
        "survey": simdl.Sweep(
            survey | {"optimizer": {"name": "SGD"}},
            {ACTIVATION: kinds, INIT: inits, DEPTH: list(s.survey_depths),
             RATE: list(s.survey_rates)}, s.pilots[: s.survey_seeds],
        ),
        "spectra": simdl.Sweep(
            {"width": s.spectra_width, "depths": list(s.spectra_depths)},
            {PAIR: [list(pair) for pair in SPECTRA]}, seeds, measure=spectrum,
        ),
        "linear": simdl.Sweep({"points": 60}, {}, seeds[:1], measure=deep_linear),
        "scaled": Tuned(
            fit, {"gain": list(GAINS)}, s.fit_rates, s.pilots, seeds, measure=trained, score="error"
        ),
    }  # fmt: skip
    for name, rates in GRID.items():
        base, pilots = long | {"optimizer": {"name": name}}, s.pilots[:3]
        made[f"{name} by rate"] = simdl.Sweep(base, arms | {RATE: list(rates)}, pilots)
        judged = {INIT: arms[INIT] if name == "SGD" else arms[INIT][1:]}
        made[name] = Tuned(base, judged, rates, pilots, seeds)
    return made


def capped(found: xarray.Dataset) -> xarray.DataArray:
    """Training loss at the end; a run that diverged has learnt nothing: it scores guessing."""
    loss = found["train_loss"]
    return loss.where(np.isfinite(loss), GUESSING).clip(max=GUESSING)


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, spectra = settings.level, results["spectra"]["spread"]
    large, fitting = (results["scaled"]["accuracy"].isel(gain=i) for i in range(2))

    def direction(values: Any, margin: float, above: bool = True) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, level=level)

    def loss(name: str, init: str) -> xarray.DataArray:
        return capped(results[name]).sel({INIT: init})

    def spread(pair: int) -> Any:
        """The judgement of that depth whose measured spread agrees least with theory's."""
        found = spectra.isel({PAIR: pair}).transpose("depth", "seed")
        ratios = found.values / exact_spread(pair, found["depth"].values)[:, None]
        return judges.worst(
            [judges.equivalence(own, 1.0, 0.07, log=True, level=level) for own in ratios]
        )

    learnt = results["linear"]["strength"] / results["linear"]["theory"]
    return [
        Claim("T25a", direction(fitting - large, MARGIN)),
        Claim("P-he-sgd", direction(loss("SGD", "he_normal"), 0.8 * GUESSING, above=False)),
        Claim("P-glorot-sgd", direction(loss("SGD", "glorot_normal"), 0.95 * GUESSING)),
        Claim("P-glorot-adam", direction(
            loss("Adam", "glorot_normal"), 0.8 * GUESSING, above=False)),
        Claim("P-spectrum-linear", spread(0)),
        Claim("P-spectrum-linear-orthogonal", judges.bound(
            spectra.isel({PAIR: 1}), upper=0.001)),
        Claim("P-spectrum-relu", spread(2)),
        Claim("P-spectrum-relu-orthogonal", spread(3)),
        Claim("P-deep-linear", judges.exact(learnt, 1.0, 0.01)),
    ]  # fmt: skip


def exact_spread(pair: int, depths: Any) -> np.ndarray:
    """What theory says of the spread of a pair of SPECTRA, by depth."""
    activation, init, _ = SPECTRA[pair]
    orthogonal = init == "orthogonal"
    return np.array([propagation.jacobian_spread(activation, int(d), orthogonal) for d in depths])


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """First pass, training of all, thirty layers by rate, and what theory says of the Jacobian."""
    return {
        "first_pass": _first_pass(results["first_pass"]),
        "training": _training(results["survey"], settings),
        "deep": _deep(results, settings),
        "jacobian": _jacobian(results["spectra"], results["linear"], settings),
    }


def _first_pass(found: xarray.Dataset) -> Any:
    """Signal and gradient by layer, a column an activation, a line an initialisation."""
    figure, axes = panels.grid(2, 3, (9.5, 6), sharex=True)
    layers = found["layer"].values
    for column, (kind, label) in enumerate(SHOWN.items()):
        for i, (name, s2) in enumerate(FIRST.items()):
            own = found.sel({ACTIVATION: kind}).isel({INIT: i}).transpose("seed", "layer")
            line: Any = (name, style.COLOURS[i])
            marks: Any = {"log": True, "marker": style.MARKERS[i], "markevery": (i, 6)}
            signal = np.sqrt(own["signal"].values / 64)
            panels.band(axes[0, column], layers, signal, *line, **marks)
            gradient = np.sqrt((own["gradient"] / own["gradient"].isel(layer=-1)).values)
            panels.band(axes[1, column], layers, gradient, *line, **marks)
            told = propagation.propagate(kind, [s2] * (len(layers) + 1), mean_square=61 / 64)
            axes[0, column].plot(layers, np.sqrt(told.inputs[1:]), **style.THEORY)
            back = np.sqrt(told.gradient[:-1] / told.gradient[-2])
            axes[1, column].plot(layers, back, **style.THEORY)
        axes[0, column].set(title=label, yscale="log", ylim=(1e-6, 1e6))
        axes[1, column].set(xlabel="hidden layer", yscale="log", ylim=(1e-10, 1e6))
    axes[0, 0].set_ylabel("signal that leaves the layer\n(RMS)")
    axes[1, 0].set_ylabel("pre-activation gradient\n(RMS, last hidden layer = 1)")
    panels.legend(figure, axes[0, 0], theory=True, bands=found.sizes["seed"])
    figure.suptitle(
        "He's weights keep ReLU's signal and gradient, Glorot's nearly tanh's, none sigmoid's"
    )
    return figure


def _training(found: xarray.Dataset, settings: Settings) -> Any:
    """Test accuracy of every initialisation by depth, a panel an activation."""
    best = found["validation_accuracy"].fillna(0).mean("seed").argmax(RATE)
    reached = found["test_accuracy"].fillna(CHANCE).isel({RATE: best}).mean("seed")
    figure, axes = panels.grid(1, 3, (9.5, 4.6))
    rows, columns = np.arange(len(INITS)), np.arange(len(settings.survey_depths))
    for panel, (kind, label) in zip(axes[0], SHOWN.items(), strict=True):
        values = reached.sel({ACTIVATION: kind}).transpose(INIT, DEPTH).values
        image = panels.heat(panel, columns, rows, values, low=0, high=1)
        for (row, column), value in np.ndenumerate(values):
            ink = "white" if value < 0.55 else style.BLACK
            at: Any = {"ha": "center", "va": "center", "fontsize": 8.5, "color": ink}
            panel.annotate(f"{value:.2f}", (column, row), **at)
        panel.set_xticks(columns, [str(d) for d in settings.survey_depths])
        panel.set_yticks(rows, list(INITS))
        panel.set(xlabel="hidden layers", title=label)
    axes[0, 0].invert_yaxis()
    figure.colorbar(image, ax=axes[0], label=f"test accuracy, {settings.survey_steps} steps of SGD")
    figure.suptitle("Shallow networks forgive their initial weights, deep ones do not")
    return figure


def _deep(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Training loss of deep ReLU nets against the rate, a panel an optimizer; rings: at its own."""
    figure, axes = panels.grid(1, 2, (9, 4))
    for panel, name in zip(axes[0], GRID, strict=True):
        by_rate, own = results[f"{name} by rate"], results[name]
        for i, init in enumerate(by_rate[INIT].values):
            line: Any = {"marker": style.MARKERS[i], "color": style.COLOURS[i]}
            values = capped(by_rate).sel({INIT: init}).transpose("seed", RATE)
            label = str(init).removesuffix("_normal").title()
            panels.band(
                panel, by_rate[RATE], values, label, style.COLOURS[i], marker=line["marker"]
            )
            if init not in own[INIT]:
                continue
            at = float(np.ravel(own[RATE].sel({INIT: init}))[0])
            middle = capped(own).sel({INIT: init}).mean()
            ring = {"markerfacecolor": "white", "markersize": 9, "markeredgewidth": 2, "zorder": 6}
            panel.plot(at, middle, **(line | ring))
        panels.level(panel, GUESSING, "guessing", above=True, left=name == "Adam")
        panel.set(xlabel=f"learning rate ({name})", xscale="log", ylim=(0, 2.6), title=name)
    axes[0, 0].set_ylabel(f"training loss after {settings.steps} steps\n(nats, at most guessing's)")
    panels.legend(figure, axes[0, 0], bands=results["SGD by rate"].sizes["seed"])
    figure.suptitle(
        f"{settings.deep} ReLU layers: under SGD He weights train and Glorot's do not; "
        "under Adam both do"
    )
    return figure


def _jacobian(spectra: xarray.Dataset, linear: xarray.Dataset, settings: Settings) -> Any:
    """Singular values of the deepest nets, their spread by depth, and modes against time."""
    figure, axes = panels.grid(1, 3, (10.5, 4), sharey=False)
    left, middle, right = axes[0]
    labels = ("linear, Gaussian", "linear, orthogonal", "ReLU, He", "ReLU, orthogonal")
    for i, label in enumerate(labels):
        own = spectra.isel({PAIR: i})
        line: Any = (label, style.COLOURS[i])
        values = own["values"].transpose("seed", "share")
        panels.band(left, 100 * values["share"], values, *line)
        found = own["spread"].transpose("seed", "depth")
        panels.band(middle, found["depth"], found, *line, marker=style.MARKERS[i])
        middle.plot(found["depth"], exact_spread(i, found["depth"].values), **style.THEORY)
    left.set(xlabel="share of directions (%)", ylabel="stretching, over its RMS")
    left.set_title(f"singular values, {max(settings.spectra_depths)} layers")
    middle.set(xlabel="layers", ylabel="squared singular values:\nvariance over squared mean")
    middle.set_title("spread at birth")
    time = linear["time"].values
    for mode in linear["mode"].values:
        strength = linear["strength"].sel(mode=mode).values.ravel()
        right.plot(time, strength, color=style.GREEN, linewidth=3, alpha=0.5)
        right.plot(time, linear["theory"].sel(mode=mode).values.ravel(), **style.THEORY)
        right.annotate(f"s = {mode:g}", (time[-1], strength[-1]), ha="right", va="bottom")
    right.set(xlabel="steps times learning rate", ylabel="strength of the mode", ylim=(0, 2.2))
    right.set_title("two linear layers learn")
    panels.legend(figure, left, theory=True, bands=spectra.sizes["seed"])
    figure.suptitle(
        "Orthogonal weights stretch all directions alike; with ReLU half of the spread is left"
    )
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
