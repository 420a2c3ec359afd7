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
from simdl import layers as L
from simdl.plot import panels, style
from simdl import scenario
from simdl.scenario import Claim, judges
from simdl.theory import propagation

QUESTION = "vanishing_gradients.question"

ACTIVATIONS = {"sigmoid": L.Sigmoid(), "tanh": L.Tanh(), "relu": L.ReLU()}
ACTIVATIONS |= {"leaky_relu": L.LeakyReLU(), "identity": L.Identity()}
SHOWN = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU"}
INITS: dict[str, Any] = {
    "small": {"name": "normal", "std": 0.01},
    "LeCun": "lecun_normal",
    "Glorot": "glorot_normal",
    "He": "he_normal",
    "orthogonal": "orthogonal",
    "standard": {"name": "scaled", "gain": 1 / 3, "uniform": True},  # U(+-1/sqrt(fan_in))
    "large": {"name": "scaled", "gain": 25.0},
}
SURVEYED = ("small", "LeCun", "Glorot", "He", "orthogonal")
FITTING = {"sigmoid": "Glorot", "tanh": "Glorot", "relu": "He", "leaky_relu": "He"}
GUESSING = math.log(10)  # loss of equal odds for ten digits, nats
SATURATED = 0.98  # |tanh| from which a unit counts as saturated


class VanishingGradients(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "nets": 3, "depths": (2, 10, 20), "steps": 200, "survey_seeds": 1, "rates": (1e-3, 3e-3),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"survey_seeds": 16, "steps": 2000, "depths": (2, 5, 10, 20, 30, 50)}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    nets: Annotated[int, Field(ge=1, description="networks averaged in a replicate at birth")] = 7
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 32
    depths: Annotated[tuple[int, ...], Field(description="hidden layers, in training")] = (2, 5, 10, 20, 50)
    deep: Annotated[int, Field(ge=3, description="hidden layers of the deep nets judged")] = 20
    steps: Annotated[int, Field(ge=1, description="training steps, batches of 32")] = 300
    survey_seeds: Annotated[int, Field(ge=1, description="replicates of the survey over depth")] = 4
    rates: Annotated[tuple[float, ...], Field(description="learning rates tuned over (Adam)")] = (
        3e-4, 1e-3, 3e-3, 1e-2,
    )  # fmt: skip


def at_birth(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Measure a freshly initialised deep net on digits, layer by layer.

    Parameters
    ----------
    settings : activation, init (a key of INITS), width, depth, nets, batch, residual, and cotangent:
        "random", one direction for all samples, or "loss", the gradient of the cross-entropy
    seed : draws the split of the data and the weights

    Returns
    -------
    dict
        Over hidden layers: `gradient` and `signal`, the mean over samples of the sum of
        squares by pre-activations and of the activations; `weight_gradient`, that of one sample's
        weight gradient; `batch_gradient`, the RMS of the batch's weight gradient. Single numbers:
        `back`, `forward`, the mean factor a layer of the squares; `bound`, the largest share of
        .25 ||W|| reached; `saturated`, the share of |activation| > .98 in the last hidden layer.
    """
    depth, width, n = settings["depth"], settings["width"], settings["batch"]
    activation = ACTIVATIONS[settings["activation"]]
    hidden = [L.Dense(width), activation]
    later = [L.Residual(hidden)] if settings["residual"] else hidden
    net = simdl.Network((64,), hidden + later * (depth - 1) + [L.Dense(10)],
                        init=INITS[settings["init"]], dtype="float64")
    data = simdl.data.load("digits", seed=seed)
    x, t = data.train[0][:n].reshape(n, 64), data.train[1][:n]
    if settings["residual"]:
        places = ["0"] + [f"{i}.0" for i in range(2, depth + 1)]
        behind = [1, *range(2, depth + 1)]
    else:
        places, behind = [str(2 * i) for i in range(depth)], [2 * i + 1 for i in range(depth)]
    found: dict[str, list[Any]] = {}
    for k in range(settings["nets"]):
        params = net.init((seed + k * 2**28) % 2**32)
        if settings["cotangent"] == "random":
            direction = np.random.default_rng([seed, k]).normal(size=10)
            v = simdl.vjp(net, params, x, np.tile(direction, (n, 1)))
        else:
            logits = simdl.forward(net, params, x)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            odds /= odds.sum(axis=1, keepdims=True)
            v = simdl.vjp(net, params, x, odds - np.eye(10)[t])
        g2 = np.stack([np.sum(v.layers[place] ** 2, axis=1) for place in places])  # (layers, n)
        h2 = np.stack([np.sum(v.outputs[place] ** 2, axis=1) for place in behind])
        below = np.vstack([np.sum(x**2, axis=1), h2[:-1]])
        weights = [params[f"{place}.weight"] for place in places]
        norms = [np.linalg.norm(w, 2) for w in weights[1:]] if settings["bound"] else [np.inf]
        with np.errstate(divide="ignore", invalid="ignore"):  # a narrow ReLU net may be dead
            back, ahead = g2[1:-2] / g2[2:-1], h2[2:] / h2[1:-1]
            reached = np.sqrt(g2[:-1] / g2[1:]) / (0.25 * np.array(norms)[:, None])
        for name, value in {
            "gradient": g2.mean(axis=1),
            "signal": h2.mean(axis=1),
            "weight_gradient": (below * g2).mean(axis=1),
            "batch_gradient": [np.sqrt(np.mean(v.params[f"{p}.weight"] ** 2)) for p in places],
            "back": np.mean(back),
            "forward": np.mean(ahead),
            "bound": np.max(reached),
            "saturated": np.mean(np.abs(v.outputs[behind[-1]]) > SATURATED),
        }.items():
            found.setdefault(name, []).append(value)
    layers = np.arange(1, depth + 1)
    return {
        name: float(np.mean(values)) if np.ndim(values[0]) == 0
        else xarray.DataArray(np.mean(values, axis=0), {"layer": layers})
        for name, values in found.items()
    }  # fmt: skip


def derivative(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Derivative of an activation on a grid of inputs x in [-10, 10], from the network itself."""
    x = np.linspace(-10, 10, 401)[:, None]
    net = simdl.Network((1,), [ACTIVATIONS[settings["activation"]]], dtype="float64")
    found = simdl.vjp(net, net.init(seed), x, np.ones_like(x)).input[:, 0]
    return {"derivative": xarray.DataArray(found, {"x": x[:, 0]})}


def sweeps(settings: VanishingGradients) -> dict[str, simdl.Sweep]:
    """What is measured and trained."""
    s, claims = settings, settings.replicates
    survey = [s.seed + i for i in range(s.survey_seeds)]
    birth = {
        "activation": "relu", "init": "He", "width": 128, "depth": 50, "nets": s.nets, "batch": 16,
        "residual": False, "cotangent": "random", "bound": False,
    }  # fmt: skip
    deep = birth | {"width": s.width, "depth": 30, "nets": 1, "batch": 64, "cotangent": "loss"}
    training = {
        "network": {"width": s.width},
        "training": {"steps": s.steps},
        "optimizer": {"name": "Adam", "lr": 1e-3},
    }
    by_fit = [[a, INITS[i]] for a, i in FITTING.items()]
    fitted = "network.activation,network.init"

    def measured(base: dict[str, Any], axes: dict[str, Any], seeds: list[int]) -> simdl.Sweep:
        return simdl.Sweep(base, axes, seeds, measure=at_birth)

    return {
        "curves": simdl.Sweep({}, {"activation": ["tanh", "relu"]}, [s.seed], measure=derivative),
        "relu": measured(birth, {"init": ["He", "Glorot"]}, claims),
        "linear": measured(birth | {"activation": "identity", "init": "standard"}, {}, claims),
        "sigmoid": measured(
            birth | {"activation": "sigmoid", "width": 512, "depth": 10, "nets": 1},
            {"init": ["LeCun", "standard"]}, claims,
        ),
        "bound": measured(
            deep | {"activation": "sigmoid", "width": 64, "bound": True}, {"init": ["LeCun", "large"]}, claims,
        ),
        "large": measured(deep | {"activation": "tanh", "init": "large", "width": 128}, {}, claims),
        "birth": measured(
            deep, {"activation": ["sigmoid", "tanh", "relu", "leaky_relu"], "init": list(SURVEYED)}, claims,
        ),
        "residual": measured(
            deep, {"activation": list(FITTING), "residual": [False, True], "init": ["Glorot", "He"]}, survey,
        ),
        "by_depth": measured(
            deep | {"activation": "sigmoid", "init": "Glorot"}, {"depth": [5, 10, 20, 40]}, claims,
        ),
        "survey": simdl.Sweep(
            training,
            {
                "network.activation": list(SHOWN),
                "network.init": [INITS[i] for i in SURVEYED],
                "network.depth": list(s.depths),
            },
            survey,
        ),
        "connected": simdl.Sweep(
            training,
            {fitted: by_fit, "network.residual": [False, True], "network.depth": list(s.depths)},
            survey,
        ),
        "tuned": simdl.Sweep(
            simdl.with_values(training, {"network.depth": s.deep}),
            {
                fitted: [["sigmoid", INITS["Glorot"]], ["relu", INITS["He"]]],
                "optimizer.lr": list(s.rates),
            },
            s.pilots + claims,
        ),
        "through": simdl.Sweep(
            simdl.with_values(training, {
                "network.depth": s.deep,
                "probes": {"every": max(1, s.steps // 30),
                           "names": ["gradient_rms", "preactivation_gradient_rms"]},
            }),
            {fitted: by_fit[:3]},
            survey,
            record=["gradient_rms", "preactivation_gradient_rms"],
        ),
    }  # fmt: skip


def rms_factor(found: xarray.Dataset) -> np.ndarray:
    """RMS factor a layer by which the gradient changes on its way back, between inner layers."""
    g2 = found["gradient"]
    layers = g2.sizes["layer"]
    first, last = g2.isel(layer=2), g2.isel(layer=layers - 3)
    return np.asarray((first / last) ** (1 / (2 * (layers - 5))))


def tuned(found: xarray.Dataset, arm: int, settings: VanishingGradients) -> xarray.Dataset:
    """The claims' replicates of an arm at the rate with the least validation loss on the pilots."""
    one = found.isel({found["train_loss"].dims[0]: arm})
    pilots = one["validation_loss"].sel(seed=settings.pilots)
    best = pilots.fillna(np.inf).mean("seed").argmin("optimizer.lr")
    return one.isel({"optimizer.lr": int(best)}).sel(seed=settings.replicates)


def claims(results: dict[str, xarray.Dataset], settings: VanishingGradients) -> list[Claim]:
    """Every claim with its verdict."""
    level = settings.level
    curve, birth = results["curves"]["derivative"], results["birth"]
    he, glorot = results["relu"].sel(init="He"), results["relu"].sel(init="Glorot")
    lecun = results["sigmoid"].sel(init="LeCun")
    standard = results["sigmoid"].sel(init="standard")
    sigmoid, relu = (tuned(results["tuned"], arm, settings) for arm in (0, 1))

    def factor(activation: str, init: str) -> np.ndarray:
        return rms_factor(birth.sel(activation=activation, init=init))

    def wide(nvar: float) -> float:
        fixed = propagation.fixed_length("sigmoid", nvar)
        return propagation.backward_factor("sigmoid", fixed, nvar)

    def slope(found: xarray.Dataset) -> np.ndarray:
        layers = found["layer"].values[1:]
        logs = np.log(found["weight_gradient"].transpose("seed", "layer").values[:, 1:])
        return np.exp(np.polyfit(layers, logs.T, 1)[0])

    lost = np.log(results["by_depth"]["gradient"].transpose("depth", "seed", "layer"))
    depths = results["by_depth"]["depth"].values
    across = np.array([
        lost.isel(depth=i, layer=0) - lost.isel(depth=i, layer=int(d) - 1)
        for i, d in enumerate(depths)
    ]).T / 2  # fmt: skip
    x = curve["x"].values
    tanh_share = curve.sel(activation="tanh").values.ravel() / (4 * np.exp(-2 * np.abs(x)))
    relu_slope = curve.sel(activation="relu").values.ravel()[x > 0]
    return [
        Claim("T03-factor", judges.equivalence(factor("sigmoid", "Glorot"), wide(1.0), 0.03, level=level)),
        Claim("T03-training", judges.direction(
            sigmoid["train_loss"].values.ravel() / GUESSING, 0.95, level=level)),
        Claim("T06a", judges.bound(tanh_share, upper=1.0, tolerance=1e-6)),
        Claim("T06b", judges.direction(
            results["large"]["back"].values.ravel(), 1.0, above=False, log=True, level=level)),
        Claim("T07a", judges.exact(relu_slope, 1.0, 0.0)),
        Claim("T07b", judges.direction(glorot["back"].values, 0.9, level=level)),
        Claim("T22a", judges.direction(
            factor("sigmoid", "Glorot") / factor("tanh", "Glorot"), 0.5, above=False, log=True, level=level)),
        Claim("T22b", judges.trend(depths, across, margin=math.log(0.5), above=False, level=level)),
        Claim("T22c", judges.direction(
            factor("tanh", "small") / factor("tanh", "Glorot"), 0.5, above=False, log=True, level=level)),
        Claim("T23a", judges.direction(
            (relu["test_accuracy"] - sigmoid["test_accuracy"]).values.ravel(), 0.3, level=level)),
        Claim("P-relu-forward", judges.equivalence(he["forward"].values, 1.0, 0.02, level=level)),
        Claim("P-relu-backward", judges.equivalence(glorot["back"].values, 0.5, 0.02, level=level)),
        Claim("P-weight-gradient", judges.equivalence(slope(glorot), 1.0, 0.04, level=level)),
        Claim("P-linear", judges.equivalence(
            results["linear"]["back"].values.ravel(), 1 / 3, 0.03, level=level)),
        Claim("P-sigmoid-lecun", judges.equivalence(rms_factor(lecun), wide(1.0), 0.03, level=level)),
        Claim("P-sigmoid-uniform", judges.equivalence(
            rms_factor(standard), wide(1 / 3), 0.03, level=level)),
        Claim("P-sigmoid-bound", judges.bound(results["bound"]["bound"].values, upper=1.0)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: VanishingGradients) -> dict[str, Any]:
    """Gradients at birth, through training, what depth does, and residual connections."""
    return {
        "initialization": _initialization(results["birth"], settings.width),
        "training": _training(results["through"]),
        "depth": _depth(results["survey"]),
        "residual": _residual(results["residual"], results["connected"]),
    }


def _theory(activation: str, init: str, depth: int, width: int) -> np.ndarray:
    """RMS of the gradient by hidden layer (depth,) that theory expects, the last one's = 1."""
    choice = INITS[init]
    name, std = (choice, None) if isinstance(choice, str) else ("normal", choice["std"])
    fans = (64, *[width] * (depth - 1))
    factors = [propagation.variance_factor(name, fan, width, std=std) for fan in fans]
    squares = propagation.propagate(activation, factors).gradient
    return np.sqrt(squares)


def _initialization(birth: xarray.Dataset, width: int) -> Any:
    """Pre-activation gradient by layer with theory, and the weight gradient below it."""
    import matplotlib.pyplot as plt

    shown = [a for a in SHOWN if a != "leaky_relu"]
    figure, axes = plt.subplots(2, len(shown), figsize=(9, 5.8), sharex=True, sharey="row",
                                layout="constrained")
    layers = birth["layer"].values
    for column, activation in enumerate(shown):
        top, bottom = axes[:, column]
        for i, (init, colour) in enumerate(zip(SURVEYED, style.COLOURS, strict=False)):
            found = birth.sel(activation=activation, init=init).transpose("seed", "layer")
            g = np.sqrt(found["gradient"].values)
            marks = {"marker": style.MARKERS[i], "markevery": (1 + i, 6)}  # lines coincide
            panels.band(top, layers, g / g[:, -1:], init, colour, log=True, **marks)
            batch = found["batch_gradient"].values
            panels.band(bottom, layers, batch, init, colour, log=True, **marks)
            top.plot(layers, _theory(activation, init, len(layers), width), **style.THEORY)
        top.set_title(SHOWN[activation])
        bottom.set_xlabel("hidden layer")
        for panel in (top, bottom):
            panel.set_yscale("log")
    axes[0, 0].set_ylim(1e-20, 1e3)
    axes[0, 0].set_ylabel("pre-activation gradient\n(RMS, last hidden layer = 1)")
    axes[1, 0].set_ylabel("weight gradient\n(RMS of the batch mean)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(plt.Line2D([], [], **style.THEORY))
    figure.legend(handles, [*labels, "theory"], loc="outside lower center", ncols=6)
    figure.suptitle("At birth the gradient changes by a constant factor a layer")
    return figure


def _training(through: xarray.Dataset) -> Any:
    """Gradient by layer and step, for each activation with its fitting initialisation."""
    import matplotlib.pyplot as plt

    fits = list(FITTING.items())[:3]
    figure, axes = plt.subplots(2, len(fits), figsize=(9, 5.2), sharex=True, sharey=True,
                                layout="constrained")
    names = ("preactivation_gradient_rms", "gradient_rms")
    titles = ("pre-activation gradient", "weight gradient")
    fit = through[names[0]].dims[0]
    for row, (name, title) in enumerate(zip(names, titles, strict=True)):
        logs = np.log10(through[name].mean("seed").dropna("layer", how="all"))
        for column, (activation, init) in enumerate(fits):
            panel = axes[row, column]
            values = logs.isel({fit: column}).transpose("layer", "step").values[:-1]
            image = panels.heat(panel, through["step"], np.arange(1, len(values) + 1), values,
                                low=-8, high=0)
            if row == 0:
                panel.set_title(f"{SHOWN[activation]}, {init}")
            else:
                panel.set_xlabel("training step")
        axes[row, 0].set_ylabel(f"{title}\nhidden layer")
        axes[row, 0].set_yticks([1, *range(5, len(values) + 1, 5)])
    bar = figure.colorbar(image, ax=axes, extend="min", shrink=0.8)
    bar.set_label("log10 of the RMS")
    figure.suptitle("What is lost at birth stays lost while the network trains")
    return figure


def _against_depth(panel: Any, found: xarray.DataArray, label: str, colour: str, marker: str, **line: Any) -> None:
    values = found.transpose("seed", "network.depth").values
    panels.band(panel, found["network.depth"].values, values, label, colour, marker=marker, **line)


def _depth_axes(columns: int, height: float) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(2, columns, figsize=(10, height), sharex=True, sharey="row",
                        layout="constrained")


def _finish(figure: Any, axes: Any, title: str) -> Any:
    for panel in axes[0]:
        panel.axhline(GUESSING, color=style.BLACK, linewidth=0.8, linestyle=":")
    for panel in axes[1]:
        panel.axhline(0.1, color=style.BLACK, linewidth=0.8, linestyle=":")
        panel.set_xlabel("hidden layers")
    axes[0, 0].set_ylabel("training loss (nats)")
    axes[0, 0].set_ylim(0, 3)
    axes[1, 0].set_ylabel("test accuracy")
    axes[1, 0].set_ylim(0, 1)
    axes[1, 0].annotate("guessing", (0.98, 0.1), xycoords=("axes fraction", "data"),
                        ha="right", va="bottom", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle(title)
    return figure


def _depth(survey: xarray.Dataset) -> Any:
    """Loss and accuracy against depth, a line an initialisation."""
    figure, axes = _depth_axes(len(SHOWN), 5.6)
    for column, (activation, shown) in enumerate(SHOWN.items()):
        axes[0, column].set_title(shown)
        for i, (init, colour) in enumerate(zip(SURVEYED, style.COLOURS, strict=False)):
            found = survey.sel({"network.activation": activation}).isel({"network.init": i})
            for row, name in enumerate(("train_loss", "test_accuracy")):
                _against_depth(axes[row, column], found[name], init, colour, style.MARKERS[i])
    return _finish(figure, axes, "Deep networks train only where the gradient survives")


def _residual(birth: xarray.Dataset, connected: xarray.Dataset) -> Any:
    """Gradient at birth by layer, accuracy against depth, with and without residual connections."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(FITTING), figsize=(10, 5.8), sharey="row", layout="constrained")
    fit = connected["train_loss"].dims[0]
    for column, (activation, init) in enumerate(FITTING.items()):
        top, bottom = axes[:, column]
        top.set_title(f"{SHOWN[activation]}, {init}")
        for i, label in enumerate(("plain", "residual")):
            colour, marker = style.COLOURS[i], style.MARKERS[i]
            born = birth.sel(activation=activation, init=init).isel(residual=i)
            g = np.sqrt(born["gradient"].transpose("seed", "layer").values)
            panels.band(top, born["layer"], g / g[:, -1:], label, colour, log=True)
            found = connected["test_accuracy"].isel({fit: column, "network.residual": i})
            _against_depth(bottom, found, label, colour, marker)
        top.set_yscale("log")
        top.set_xlabel("hidden layer")
        bottom.set_xlabel("hidden layers")
        bottom.axhline(0.1, color=style.BLACK, linewidth=0.8, linestyle=":")
    axes[0, 0].set_ylabel("pre-activation gradient\n(RMS, last hidden layer = 1)")
    axes[1, 0].set_ylabel("test accuracy")
    axes[1, 0].set_ylim(0, 1)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Residual connections save the sigmoid net; with He weights the gradient now grows")
    return figure


Settings = VanishingGradients

if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
