"""Why do gradients vanish in deep networks, and what helps?

Three experiments. At birth: how the gradient shrinks from layer to layer, next to theory. In
training: where the gradient is lost, does it come back? And what depth does to loss and accuracy,
for each activation, initialisation and with residual connections.
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
from simdl.scenario.birth import at_birth, derivative
from simdl.scenario.tuning import Tuned
from simdl.theory import propagation

QUESTION = "vanishing_gradients.question"
SHOWN = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU"}
SMALL = {"name": "normal", "std": 0.01}
STANDARD = {"name": "scaled", "gain": 1 / 3, "uniform": True}  # U(+-1/sqrt(fan_in))
LARGE = {"name": "scaled", "gain": 25.0}
INITS: dict[str, Any] = {
    "small": SMALL, "LeCun": "lecun_normal", "Glorot": "glorot_normal", "He": "he_normal",
    "orthogonal": "orthogonal",
}  # fmt: skip
FITTING = {"sigmoid": "Glorot", "tanh": "Glorot", "relu": "He", "leaky_relu": "He"}
ACTIVATION, INIT, DEPTH = "network.activation", "network.init", "network.depth"
RESIDUAL, FITTED = "network.residual", "network.activation,network.init"
REMEDY = f"{FITTED},network.norm"
GUESSING = math.log(10)  # loss of equal odds for ten digits, nats
CAP = 10 * GUESSING


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "nets": 3, "depths": (2, 20), "steps": 150, "survey_seeds": 1,
        "rates": (1e-3, 3e-3, 1e-2),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {
        "survey_seeds": 16, "steps": 2000, "depths": (2, 5, 10, 20, 30, 50),
    }  # fmt: skip

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    nets: Annotated[int, Field(ge=1, description="networks averaged in a replicate at birth")] = 7
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 32
    depths: Annotated[
        tuple[int, ...], Field(description="hidden layers, in training")
    ] = (2, 5, 10, 20, 50)  # fmt: skip
    deep: Annotated[int, Field(ge=3, description="hidden layers of the deep nets judged")] = 20
    steps: Annotated[int, Field(ge=1, description="training steps, batches of 32")] = 300
    survey_seeds: Annotated[int, Field(ge=1, description="replicates of the survey over depth")] = 4
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (Adam)")
    ] = (3e-4, 1e-3, 3e-3, 1e-2)  # fmt: skip


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, claims = settings, settings.replicates
    survey = [s.seed + i for i in range(s.survey_seeds)]
    wide = {
        "network": {"width": 128, "depth": 50},
        "nets": s.nets,
        "batch": 16,
        "cotangent": "random",
    }
    deep = {"network": {"width": s.width, "depth": 30}, "batch": 64, "cotangent": "loss"}
    deep["nets"] = max(1, s.nets // 2)
    training = {"network": {"width": s.width}, "training": {"steps": s.steps}}
    fits = [[a, INITS[i]] for a, i in FITTING.items()]
    names = ["gradient_rms", "preactivation_gradient_rms"]
    probes = {"every": max(1, s.steps // 30), "names": names}

    def born(base: Any, axes: Any, seeds: list[int], **network: Any) -> simdl.Sweep:
        table = simdl.with_values(base, {f"network.{k}": v for k, v in network.items()})
        return simdl.Sweep(table, axes, seeds, measure=at_birth)

    def trained(axes: Any, seeds: list[int], record: Any = None, **values: Any) -> simdl.Sweep:
        return simdl.Sweep(training | values, axes, seeds, record=record)

    remedies = [[*fits[0], "none"], [*fits[2], "none"], [*fits[0], "BatchNorm"]]
    normal = {"activation": "sigmoid", "init": INITS["Glorot"], "norm": "BatchNorm"}
    at_depth = {"network": training["network"] | {"depth": s.deep}}
    return {
        "curves": simdl.Sweep({}, {"activation": ["tanh", "relu"]}, [s.seed], measure=derivative),
        "relu": born(wide, {INIT: [INITS["He"], INITS["Glorot"]]}, claims, activation="relu"),
        "linear": born(wide, {}, claims, activation="identity", init=STANDARD),
        "sigmoid": born(
            wide | {"nets": 1}, {INIT: [INITS["LeCun"], STANDARD]}, claims,
            activation="sigmoid", width=512, depth=10,
        ),
        "bound": born(
            deep | {"norms": True}, {INIT: [INITS["LeCun"], LARGE]}, claims,
            activation="sigmoid", width=64,
        ),
        "large": born(deep, {}, claims, activation="tanh", init=LARGE, width=128),
        "birth": born(deep, {ACTIVATION: list(SHOWN), INIT: list(INITS.values())}, claims),
        "skipped": born(
            deep, {ACTIVATION: list(SHOWN), INIT: list(INITS.values())}, survey, residual=True,
        ),
        "by_depth": born(
            deep, {DEPTH: [5, 10, 20, 40]}, claims, activation="sigmoid", init=INITS["Glorot"],
        ),
        "survey": trained(
            {ACTIVATION: list(SHOWN), INIT: list(INITS.values()), DEPTH: list(s.depths)}, survey,
        ),
        "connected": trained(
            {FITTED: fits, RESIDUAL: [False, True], DEPTH: list(s.depths)}, survey,
        ),
        "tuned": Tuned(
            training | at_depth, {REMEDY: remedies}, s.rates, s.pilots[: s.seeds // 3], claims
        ),
        "normalized_birth": born(deep | {"training": True}, {}, claims, **normal),
        "normalized": trained(
            {DEPTH: list(s.depths)}, survey, network=training["network"] | normal
        ),
        "through": trained(
            {FITTED: fits, RESIDUAL: [False, True]}, survey, names, **at_depth, probes=probes,
        ),
    }  # fmt: skip


def rms_factor(found: xarray.Dataset) -> np.ndarray:
    """RMS factor a layer by which the gradient changes on its way back, between inner layers."""
    g2, layers = found["gradient"], found.sizes["layer"]
    return np.asarray((g2[..., 2] / g2[..., layers - 3]) ** (1 / (2 * (layers - 5))))


def weight_slope(found: xarray.Dataset) -> np.ndarray:
    """Factor a layer of one sample's squared weight gradient, least squares on its logarithm."""
    squares = found["weight_gradient"].transpose("seed", "layer")[:, 1:]
    return np.exp(np.polyfit(squares["layer"], np.log(squares.values).T, 1)[0])


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, order = settings.level, list(INITS)
    curve, by_depth = results["curves"]["derivative"], results["by_depth"]
    he, glorot = (results["relu"].isel({INIT: i}) for i in (0, 1))
    lecun, standard = (results["sigmoid"].isel({INIT: i}) for i in (0, 1))
    sigmoid, relu, normalized = (results["tuned"].isel({REMEDY: i}) for i in range(3))
    alive = rms_factor(results["normalized_birth"].transpose("seed", "layer"))
    stuck = sigmoid["train_loss"].fillna(CAP)  # a run that diverged scores the cap

    def factor(activation: str, init: str) -> np.ndarray:
        arm = results["birth"].sel({ACTIVATION: activation}).isel({INIT: order.index(init)})
        return rms_factor(arm.transpose("seed", "layer"))

    def theory(nvar: float) -> float:
        fixed = propagation.fixed_length("sigmoid", nvar)
        return propagation.backward_factor("sigmoid", fixed, nvar)

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, level=level)

    depths = by_depth[DEPTH].values
    squares = by_depth["gradient"].transpose(DEPTH, "seed", "layer").values
    kept = np.array(
        [np.log(g[:, 0] / g[:, d - 1]) / 2 for g, d in zip(squares, depths, strict=True)]
    )
    x = curve["x"].values
    tail = curve.sel(activation="tanh").values.ravel() / (4 * np.exp(-2 * np.abs(x)))
    slope = curve.sel(activation="relu").values.ravel()[x > 0]
    vanished = factor("sigmoid", "Glorot")
    return [
        Claim("T03-factor", equals(vanished, theory(1.0), 0.03)),
        Claim("T03-training", direction(stuck / GUESSING, 0.95)),
        Claim("T06a", judges.exact(tail, (1 + np.exp(-2 * np.abs(x))) ** -2, 1e-6)),
        Claim("T06b", direction(results["large"]["back"], 1.0, above=False, log=True)),
        Claim("T07a", judges.exact(slope, 1.0, 0.0)),
        Claim("T07b", direction(glorot["back"], 0.9)),
        Claim("T22a", direction(vanished / factor("tanh", "Glorot"), 0.5, above=False, log=True)),
        Claim("T22b", judges.trend(depths, kept.T, margin=math.log(0.5), above=False, level=level)),
        Claim("T22c", direction(
            factor("tanh", "small") / factor("tanh", "Glorot"), 0.5, above=False, log=True)),
        Claim("T23a", direction(relu["test_accuracy"] - sigmoid["test_accuracy"], 0.3)),
        Claim("T23b-gradient", direction(alive, 0.9, log=True)),
        Claim("T23b-training", direction(
            normalized["test_accuracy"] - sigmoid["test_accuracy"], 0.3)),
        Claim("P-relu-forward", equals(he["forward"], 1.0, 0.02)),
        Claim("P-relu-backward", equals(glorot["back"], 0.5, 0.02)),
        Claim("P-weight-gradient", equals(weight_slope(glorot), 1.0, 0.04)),
        Claim("P-linear", equals(results["linear"]["back"], 1 / 3, 0.03)),
        Claim("P-sigmoid-lecun", equals(rms_factor(lecun), theory(1.0), 0.03)),
        Claim("P-sigmoid-uniform", equals(rms_factor(standard), theory(1 / 3), 0.03)),
        Claim("P-sigmoid-bound", judges.bound(results["bound"]["bound"].values, upper=1.0)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Gradients at birth, through training, what depth does, and residual connections."""
    return {
        "initialization": _initialization(results["birth"], results["large"], settings.width),
        "training": _training(results["through"]),
        "depth": _depth(results["survey"]),
        "residual": _residual(results),
    }


def _theory(activation: str, init: str, depth: int, width: int) -> np.ndarray:
    """RMS of the gradient by hidden layer (depth,) that theory expects, the last one's = 1."""
    choice = INITS[init]
    name, std = (choice, None) if isinstance(choice, str) else (choice["name"], choice["std"])
    fans = (64, *[width] * (depth - 1))
    factors = [propagation.variance_factor(name, fan, width, std=std) for fan in fans]
    return np.sqrt(propagation.propagate(activation, factors).gradient)


def _relative(found: xarray.Dataset) -> np.ndarray:
    """RMS of the pre-activation gradient (seeds, layers), the last hidden layer's = 1."""
    g = np.sqrt(found["gradient"].transpose("seed", "layer").values)
    return np.asarray(g / g[:, -1:])


def _marks(i: int) -> dict[str, Any]:
    return {"marker": style.MARKERS[i], "markevery": (1 + i, 6)}  # staggered: lines coincide


def _initialization(birth: xarray.Dataset, large: xarray.Dataset, width: int) -> Any:
    """Pre-activation gradient by layer with theory, and the weight gradient below it."""
    shown = birth[ACTIVATION].values
    figure, axes = panels.grid(2, len(shown), (9, 5.8), sharex=True)
    layers = birth["layer"].values
    for column, activation in enumerate(shown):
        top, bottom = axes[:, column]
        for i, init in enumerate(INITS):
            found = birth.sel({ACTIVATION: activation}).isel({INIT: i})
            line = (init, style.COLOURS[i])
            panels.band(top, layers, _relative(found), *line, log=True, **_marks(i))
            batch = found["batch_gradient"].transpose("seed", "layer")
            panels.band(bottom, layers, batch, *line, log=True, **_marks(i))
            top.plot(layers, _theory(activation, init, len(layers), width), **style.THEORY)
        if activation == "tanh":
            line = {"linestyle": ":", "marker": "x", "markevery": 4, "log": True}
            panels.band(top, layers, _relative(large), "", style.BLACK, **line)
            note = f"s² = 25: {float(large['saturated'].mean()):.0%}\nsaturated, and\nit explodes"
            top.annotate(note, (0.04, 0.62), xycoords="axes fraction", fontsize=8, va="top")
        top.set(title=SHOWN[activation], yscale="log", ylim=(1e-20, 1e10))
        bottom.set(xlabel="hidden layer", yscale="log")
    axes[0, 0].set_ylabel("pre-activation gradient\n(RMS, last hidden layer = 1)")
    axes[1, 0].set_ylabel("weight gradient\n(RMS of the batch mean)")
    panels.legend(figure, axes[0, 0], theory=True, bands=birth.sizes["seed"])
    figure.suptitle("At birth the gradient changes by a constant factor a layer")
    return figure


def _training(through: xarray.Dataset) -> Any:
    """Gradient by layer and step, for each activation with its fitting initialisation."""
    figure, axes = panels.grid(3, len(FITTING), (10, 7.4), sharex=True)
    rows = [
        ("pre-activation gradient", "preactivation_gradient_rms", 0),
        ("weight gradient", "gradient_rms", 0),
        ("pre-activation gradient\nwith residual connections", "preactivation_gradient_rms", 1),
    ]
    for row, (title, name, residual) in enumerate(rows):
        for column, (activation, init) in enumerate(FITTING.items()):
            found = through[name].isel({FITTED: column, RESIDUAL: residual}).mean("seed")
            values = np.log10(found.dropna("layer", how="all").transpose("layer", "step"))[:-1]
            layers = np.arange(1, len(values) + 1)  # hidden ones: the head is left out
            panel = axes[row, column]
            image = panels.heat(panel, through["step"], layers, values, low=-8, high=0)
            panel.set_yticks([1, *layers[4::5]])
            axes[0, column].set_title(f"{SHOWN[activation]}, {init}")
            axes[-1, column].set_xlabel("training step")
        axes[row, 0].set_ylabel(f"{title}\nhidden layer")
    bar = figure.colorbar(image, ax=axes, extend="both", shrink=0.6)
    bar.set_label("log10 of the RMS")
    figure.suptitle("What is lost at birth stays lost while the network trains")
    return figure


def _against_depth(panel: Any, found: Any, label: str, colour: str, marker: str) -> None:
    panels.band(panel, found[DEPTH], found.transpose("seed", DEPTH), label, colour, marker=marker)


def _depth(survey: xarray.Dataset) -> Any:
    """Loss and accuracy against depth, a line an initialisation."""
    figure, axes = panels.grid(2, len(SHOWN), (10, 5.6), sharex=True)
    for column, (activation, shown) in enumerate(SHOWN.items()):
        top, bottom = axes[:, column]
        for i, init in enumerate(INITS):
            found = survey.sel({ACTIVATION: activation}).isel({INIT: i})
            line = (init, style.COLOURS[i], style.MARKERS[i])
            _against_depth(top, found["train_loss"], *line)
            _against_depth(bottom, found["test_accuracy"], *line)
        panels.level(top, GUESSING, "" if column else "guessing")
        panels.level(bottom, 0.1, "" if column else "guessing")
        top.set(title=shown, ylim=(0, 3))
        bottom.set(xlabel="hidden layers", ylim=(0, 1))
    axes[0, 0].set_ylabel("training loss (nats)")
    axes[1, 0].set_ylabel("test accuracy")
    panels.legend(figure, axes[0, 0], bands=survey.sizes["seed"])
    figure.suptitle("Deep networks train only where the gradient survives")
    return figure


def _residual(results: dict[str, xarray.Dataset]) -> Any:
    """Residual connections and batch normalisation: gradient at birth by layer; accuracy."""
    birth, connected = results["skipped"], results["connected"]
    figure, axes = panels.grid(2, len(FITTING), (10, 6.4))
    layers, normed = birth["layer"].values, ("batch normalisation", style.BLACK)
    for column, (activation, init) in enumerate(FITTING.items()):
        top, bottom = axes[:, column]
        for i, name in enumerate(INITS):
            found = _relative(birth.sel({ACTIVATION: activation}).isel({INIT: i}))
            panels.band(top, layers, found, name, style.COLOURS[i], log=True, **_marks(i))
        accuracy = connected["test_accuracy"].isel({FITTED: column})
        _against_depth(bottom, accuracy.isel({RESIDUAL: 0}), "plain", "0.6", "o")
        _against_depth(bottom, accuracy.isel({RESIDUAL: 1}), "residual", style.SKY, "s")
        if activation == "sigmoid":
            born = results["normalized_birth"].isel(seed=slice(connected.sizes["seed"]))
            panels.band(top, layers, _relative(born), *normed, log=True, **_marks(5))
            _against_depth(bottom, results["normalized"]["test_accuracy"], *normed, "P")
            axes[1, 1].legend(*bottom.get_legend_handles_labels(), loc="center left")
        panels.level(bottom, 0.1, "" if column else "guessing")
        top.set(title=SHOWN[activation], yscale="log", ylim=(1e-1, 1e7), xlabel="hidden layer")
        bottom.set(title=f"{init} weights", xlabel="hidden layers", ylim=(0, 1))
    axes[0, 0].set_ylabel(
        "pre-activation gradient\nwith residual connections\n(RMS, last hidden layer = 1)"
    )
    axes[1, 0].set_ylabel("test accuracy")
    panels.legend(figure, axes[0, 0], bands=connected.sizes["seed"])
    figure.suptitle("Residual connections or batch normalisation save the sigmoid net")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
