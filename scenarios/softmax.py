"""What does softmax make of a network's outputs, and how is it trained?

Three experiments. Random logits: are the outputs probabilities, what changes them and what does
not? Ever larger logits: where does the formula, typed as it stands, break? And one neuron that
begins badly wrong: why softmax and sigmoid outputs are paired with the cross-entropy.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import layers as L
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.theory import outputs

QUESTION = "softmax.question"

SPREAD = 3.0  # standard deviation of the random logits
SHIFT = 100.0
EXAMPLE = (2.0, 1.0, 0.2, -1.0)  # logits drawn as bars
SHARP = (0.5, 1.0, 3.0)  # temperatures they are drawn at
STARTS = {"wrong": (0.6, 0.9), "badly wrong": (2.0, 2.0)}  # weight, bias (Nielsen 2015)
LOSSES = {"squared": "squared error", "entropy": "cross-entropy"}
FORMULAS = {"typed": "formula as it stands", "simdl": "largest logit subtracted"}


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {"seeds": 6}
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "samples": 10_000}

    samples: Annotated[int, Field(ge=2, description="vectors of logits a replicate")] = 1000
    classes: Annotated[int, Field(ge=2, description="logits a vector")] = 10
    temperatures: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...],
        Field(min_length=2, description="temperatures at which the entropy is taken, rising"),
    ] = (0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
    rate: Annotated[float, Field(gt=0, description="learning rate of the single neuron")] = 0.15
    epochs: Annotated[int, Field(ge=1, description="epochs of the single neuron")] = 300


def softmax(logits: np.ndarray, dtype: str = "float64") -> np.ndarray:
    """Outputs (n, c) of simdl's softmax layer."""
    net = simdl.Network(logits.shape[1:], [L.Softmax()], dtype=dtype)
    return simdl.forward(net, net.init(0), logits)


def probabilities(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """What softmax gives for random logits: outputs, and what leaves them as they are."""
    samples, classes, heats = (settings[k] for k in ("samples", "classes", "temperatures"))
    rng = np.random.default_rng(seed)
    z = SPREAD * rng.normal(size=(samples, classes))
    far = softmax(1e4 * rng.normal(size=(samples, classes)), "float32")
    wrong = [np.abs(far.sum(axis=1) - 1), -far.min(axis=1), far.max(axis=1) - 1]
    p, heated = softmax(z), [softmax(z / t) for t in heats]
    entropy = [float(np.mean(-np.sum(q * np.log(np.maximum(q, 1e-300)), 1))) for q in heated]
    theory = [float(np.mean(outputs.entropy(z, t))) for t in heats]
    order = np.argsort(z)
    return {
        "inside": float(np.min(np.minimum(p, 1 - p))),  # distance to 0 and to 1
        "sum": float(np.max(np.abs(p.sum(axis=1) - 1))),
        "shifted": float(np.max(np.abs(softmax(z + SHIFT) - p))),
        "entropy": xarray.DataArray(entropy, {"temperature": heats}),
        "entropy_theory": xarray.DataArray(theory, {"temperature": heats}),
        # rounding makes equals of what lies near 0 in the cold: from 1 on it does not
        "kept": float(np.mean([np.argsort(q) == order for q in _from_one(heated, heats)])),
        "gradient": _gradient_error(z[:200], rng.integers(classes, size=min(samples, 200)), seed),
        "far": float(np.max(np.where(np.isnan(wrong), np.inf, wrong))),
    }


def _from_one(heated: list[np.ndarray], heats: list[float]) -> list[np.ndarray]:
    return [q for q, t in zip(heated, heats, strict=True) if t >= 1] or heated[-1:]


def _gradient_error(z: np.ndarray, targets: np.ndarray, seed: int) -> float:
    """Largest distance of the cross-entropy's gradient by the logits z (n, c) from p - y."""
    n, classes = z.shape
    # One-hot inputs, no bias: the weights are the logits, their gradient is that of the logits.
    net = simdl.Network((n,), [L.Dense(classes, bias=False)], dtype="float64")
    params = net.init(seed)
    params["0.weight"][:] = z
    _, grads = simdl.value_and_grad(net, params, np.eye(n), targets)  # of the mean over samples
    expected = outputs.softmax(z) - np.eye(classes)[targets]
    return float(np.max(np.abs(n * grads["0.weight"] - expected)))


def example(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Outputs for the logits of `EXAMPLE` at a temperature."""
    given = softmax(np.array([EXAMPLE]) / settings["temperature"])[0]
    return {"share": xarray.DataArray(given, {"logit": list(EXAMPLE)})}


def overflow(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Largest error of softmax for logits of ever larger size; NaN where the output is none."""
    scales = np.geomspace(1, 1e4, 41)
    z = np.random.default_rng(seed).uniform(-1, 1, (settings["samples"], settings["classes"]))
    z[:, 0] = 1.0  # the largest logit is the scale itself
    dtype, found = settings["dtype"], []
    for scale in scales:
        logits = (scale * z).astype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            powers = np.exp(logits)
            typed = powers / powers.sum(axis=1, keepdims=True)
        given = typed if settings["formula"] == "typed" else softmax(logits, dtype)
        found.append(np.max(np.abs(given - outputs.softmax(logits))))
    return {"error": xarray.DataArray(found, {"scale": scales})}


def neuron(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Output by epoch of one sigmoid neuron taught to turn 1 into 0; gradient by its input."""
    squared = settings["loss"] == "squared"
    head = simdl.Network((1,), [L.Dense(1), L.Sigmoid()], dtype="float64")
    net = head if squared else simdl.Network((1,), [L.Dense(1)], dtype="float64")
    params = net.init(seed)
    params["0.weight"][:], params["0.bias"][:] = STARTS[settings["start"]]
    data = simdl.Data(train=(np.ones((1, 1)), np.zeros((1, 1))))

    def output(net: Any, params: Any, data: Any) -> float:
        return float(simdl.forward(head, params, np.ones((1, 1)))[0, 0])

    trained = simdl.train(
        net, data, seed=seed, params=params, batch_size="full", epochs=settings["epochs"],
        loss="mse" if squared else "binary_cross_entropy",  # of logits
        # our mean squared error has no half: half the rate gives Nielsen's steps
        optimizer={"name": "SGD", "lr": settings["rate"] / (2 if squared else 1)},
        probes=[simdl.Probe(output, every=1)],
    )  # fmt: skip
    path = np.ravel(trained.history["output"])  # before each step, and at the end
    return {"output": xarray.DataArray(path, {"epoch": np.arange(path.size)})}


def pull(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Gradient by the input z of a sigmoid neuron with target 0, for outputs from 0 to 1."""
    squared = settings["loss"] == "squared"
    layers = [L.Dense(1), L.Sigmoid()] if squared else [L.Dense(1)]
    net = simdl.Network((1,), layers, dtype="float64")
    loss, params = "mse" if squared else "binary_cross_entropy", net.init(seed)
    a, found = np.linspace(0.02, 0.98, 25), []
    for output in a:
        params["0.weight"][:], params["0.bias"][:] = 0.0, np.log(output / (1 - output))
        _, grads = simdl.value_and_grad(net, params, np.ones((1, 1)), np.zeros((1, 1)), loss)
        found.append(grads["0.bias"][0] / (2 if squared else 1))
    return {"gradient": xarray.DataArray(found, {"a": a})}


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """Random logits; logits of growing size; the neuron that begins wrong."""
    s, one = settings, [settings.seed]
    drawn = {"samples": s.samples, "classes": s.classes}
    taught = {"rate": s.rate, "epochs": s.epochs}
    heated = drawn | {"temperatures": list(s.temperatures)}
    formulas = {"formula": list(FORMULAS), "dtype": ["float32", "float64"]}
    arms = {"loss": list(LOSSES), "start": list(STARTS)}
    return {
        "probabilities": simdl.Sweep(heated, {}, s.replicates, measure=probabilities),
        "example": simdl.Sweep({}, {"temperature": list(SHARP)}, one, measure=example),
        "overflow": simdl.Sweep(drawn, formulas, one, measure=overflow),
        "pull": simdl.Sweep({}, {"loss": list(LOSSES)}, one, measure=pull),
        "neuron": simdl.Sweep(taught, arms, one, measure=neuron),
    }


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict; all are identities, bounds or recursions, judged exactly."""
    found, above_zero = results["probabilities"], float(np.nextafter(0, 1))
    heating = np.diff(found["entropy"].transpose("seed", "temperature").values, axis=1)
    gradient = results["pull"]["gradient"].sel(loss="squared").squeeze("seed")
    ends = results["neuron"]["output"].sel(start="wrong").isel(epoch=-1, seed=0)

    def slow(loss: str) -> Any:
        start, rate = STARTS["wrong"], settings.rate
        reference = outputs.neuron(*start, loss, rate, settings.epochs)[-1]
        return judges.exact(ends.sel(loss=loss), reference, 1e-4)

    def zero(name: str, tolerance: float) -> Any:
        return judges.exact(found[name].values, 0.0, tolerance)

    return [
        Claim("T13-range", judges.bound(found["inside"].values, lower=above_zero)),
        Claim("T13-sum", zero("sum", 1e-12)),
        Claim("T13-shift", zero("shifted", 1e-12)),
        Claim("T13-temperature", judges.bound(heating, lower=0.0, tolerance=1e-12)),
        Claim("T13-order", judges.exact(found["kept"].values, 1.0, 0.0)),
        Claim("T13-gradient", zero("gradient", 1e-7)),
        Claim("T13-extreme", zero("far", 1e-5)),
        Claim(
            "P-squared-gradient",
            judges.exact(gradient, outputs.pull(gradient["a"].values, 0.0, "squared"), 1e-7),
        ),
        Claim("P-slow-squared", slow("squared")),
        Claim("P-slow-entropy", slow("entropy")),
    ]


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Scores to shares, where the formula breaks, and how the loss decides the speed."""
    return {
        "shares": _shares(results["example"], results["probabilities"], settings.classes),
        "overflow": _overflow(results["overflow"]),
        "learning": _learning(results["pull"], results["neuron"], settings),
    }


def _shares(bars: xarray.Dataset, found: xarray.Dataset, classes: int) -> Any:
    """Bars of shares at three temperatures; entropy against temperature with theory."""
    figure, axes = panels.grid(1, 4, (10, 3.2), width_ratios=(1, 1, 1, 1.7), sharey=False)
    names = [f"{z:g}" for z in EXAMPLE]
    for panel, temperature in zip(axes[0], SHARP, strict=False):
        shares = bars["share"].sel(temperature=temperature, logit=list(EXAMPLE)).squeeze("seed")
        drawn = panel.bar(names, shares, color=style.COLOURS[: len(names)])
        panel.bar_label(drawn, [f"{share:.2f}" for share in shares], fontsize=8.5)
        panel.set(title=f"temperature {temperature:g}", xlabel="logit", ylim=(0, 1.05))
        panel.grid(False, axis="x")
    axes[0, 0].set_ylabel("softmax output")
    right, x = axes[0, 3], found["temperature"].values
    panels.band(
        right, x, found["entropy"].transpose("seed", "temperature"), "measured", style.BLUE,
        marker="o",
    )  # fmt: skip
    right.plot(x, found["entropy_theory"].mean("seed"), **style.THEORY, label="theory")
    panels.level(right, np.log(classes))
    right.annotate("all classes alike", (x.min(), np.log(classes) - 0.04), va="top", fontsize=8.5)
    right.set(xscale="log", xlabel="temperature", ylabel="entropy (nats)", title="random logits")
    right.legend(loc="center right")
    figure.suptitle("Softmax makes shares of any numbers; the temperature says how even they are")
    return figure


def _overflow(found: xarray.Dataset) -> Any:
    """Error of softmax against the size of the logits, typed as it stands and as it is done."""
    figure, axes = panels.grid(1, 2, (9, 3.6))
    scales, top = found["scale"].values, 10.0
    for panel, dtype in zip(axes[0], found["dtype"].values, strict=True):
        for i, (formula, label) in enumerate(FORMULAS.items()):
            error = found["error"].sel(dtype=dtype, formula=formula).isel(seed=0).values
            line = {"color": style.COLOURS[1 - i], "marker": style.MARKERS[i]}
            panel.plot(scales, np.maximum(error, 1e-18), label=label, **line)
            lost = np.isnan(error)
            panel.plot(scales[lost], np.full(lost.sum(), top), "x", color=style.COLOURS[1 - i])
        limit = float(np.log(np.finfo(dtype).max))
        panel.axvline(limit, **style.THEORY)
        panel.annotate(
            f"exp overflows\nfrom {limit:.4g}", (limit, 1e-10), (-6, 0), fontsize=8.5,
            textcoords="offset points", ha="right",
        )  # fmt: skip
        panel.annotate("not a number", (limit, top), (-6, 0), textcoords="offset points",
                       ha="right", va="center", fontsize=8.5)  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel="largest logit", title=dtype, ylim=(1e-19, 60))
    axes[0, 0].set_ylabel("largest error of the outputs")
    panels.legend(figure, axes[0, 0])
    figure.suptitle("The formula as it stands breaks on large logits; a shift mends it")
    return figure


def _learning(pulled: xarray.Dataset, taught: xarray.Dataset, settings: Settings) -> Any:
    """Gradient against output for both losses, and output by epoch from two starts."""
    figure, axes = panels.grid(1, 3, (10, 3.6), sharey=False)
    left, fine = axes[0, 0], np.linspace(0, 1, 200)
    for i, (loss, label) in enumerate(LOSSES.items()):
        line = {"color": style.COLOURS[1 - i], "marker": style.MARKERS[i]}
        found = pulled["gradient"].sel(loss=loss).squeeze("seed")
        left.plot(found["a"], found, linestyle="", label=label, **line)
        left.plot(fine, outputs.pull(fine, 0.0, loss), **style.THEORY)
        for panel, (start, at) in zip(axes[0, 1:], STARTS.items(), strict=True):
            path = taught["output"].sel(loss=loss, start=start).squeeze("seed")
            panel.plot(path["epoch"], path, markevery=len(path) // 10 or 1, **line)
            expected = outputs.neuron(*at, loss, settings.rate, settings.epochs)
            panel.plot(path["epoch"], expected, **style.THEORY)
            panel.set(title=f"starts {start}: {expected[0]:.2f}", xlabel="epoch", ylim=(0, 1.02))
    left.set(title="pull towards 0", xlabel="output", ylabel="gradient by the input")
    axes[0, 1].set_ylabel("output (should be 0)")
    panels.legend(figure, left, theory=True)
    figure.suptitle("With squared error a sigmoid output learns slowest where it is most wrong")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
