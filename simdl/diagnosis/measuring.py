"""What a finished training is examined for: looks at its birth, at its end, and at its first steps.

Nothing is measured while it trains. Parameters at birth come again from the seed; gradients and
saturation from a single step on a fixed batch, with the probes of any training; updates from the
first steps, which come out again bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data import Data
from simdl.firing import dead_units
from simdl.functional import forward
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.schedules import Constant
from simdl.schedules import schedule as make_schedule

BATCH = 256  # samples of the fixed batch, evenly over the training set, which may be sorted
SAME = 1e-5  # of their size, by which weights may differ that began as one
STEPS = 100  # that are run again: what Adam's averages of squares need is beyond their half
TWO_SIDED = ("Sigmoid", "Tanh", "Softsign")  # flat at both ends: there saturation is no sparsity

Train = Callable[..., list[Any]]  # `simdl.training.train_chunk`
Shares = Mapping[str, float]  # of a layer's path


@dataclass(frozen=True)
class Look:
    """The network at one moment; a layer without the quantity is missing.

    Attributes
    ----------
    loss : mean loss of the fixed batch, in inference mode
    gradient : of each dense and convolution layer, RMS of a sample's gradient by its output
    saturation : of each bounded activation, share where the slope is below 4 % of the largest
    dead : of each ReLU-like activation, share of units that fire for no training sample
    output : (n, k) of the fixed batch, in inference mode
    """

    loss: float = np.nan
    gradient: Shares = field(default_factory=dict)
    saturation: Shares = field(default_factory=dict)
    dead: Shares = field(default_factory=dict)
    output: np.ndarray = field(default_factory=lambda: np.full((1, 1), np.nan))


@dataclass(frozen=True)
class Measured:
    """What there is to judge.

    Attributes
    ----------
    birth, end : the network before the first step, and as it is returned
    update, peak : of each dense and convolution layer, RMS of an update over RMS of the weight, in
        the first steps: median and largest
    moved : RMS of the weight at the end minus that at birth, over RMS of the weight at birth
    far : the same way over 1 / sqrt(fan_in), which any customary initializer has
    alike : how many units, of each layer whose units all had the same weights, then and now
    columns : (d,) root mean square of each input over 4,096 samples; 0 for constant ones
    steady : (d,) whether an input is one value nearly always, as one-hot and margin pixels are
    mean_square : of the inputs
    targets : (n, k) of the fixed batch, as the loss takes them
    numbers : whether targets are numbers, no classes
    given : whether it started from weights that were given, not drawn
    """

    birth: Look
    end: Look
    update: Shares
    peak: Shares
    moved: Shares
    far: Shares
    alike: Mapping[str, int]
    columns: np.ndarray
    steady: np.ndarray
    mean_square: float
    targets: np.ndarray
    numbers: bool
    given: bool


def measure(result: Any, train: Train, data: Data, start: Parameters | None) -> Measured:
    """Examine a result of `train` on `data`, from `start` or from the weights of its seed."""
    training, net = result.training, result.training.net
    x, t = data.train
    x = x.reshape(len(x), *net.input_shape)
    rows = np.linspace(0, len(x) - 1, min(BATCH, len(x))).astype(int)
    batch = Data(train=(x[rows], t[rows]))
    birth = net.init(result.seed) if start is None else start

    def look(params: Parameters) -> Look:
        if not np.isfinite(params.flat).all():
            return Look()
        return _look(training, train, batch, x, params, result.seed)

    some = np.linspace(0, len(x) - 1, min(16 * BATCH, len(x))).astype(int)  # quantiles sort
    inputs = x[some].reshape(len(some), -1)
    return Measured(
        look(birth),
        look(result.params),
        *_updates(result, train, data, birth),
        *_moved(net, birth, result.params),
        _alike(net, birth, result.params),
        np.where(np.ptp(inputs, 0) > 0, np.sqrt(np.mean(inputs**2, 0)), 0),
        np.ptp(np.quantile(inputs, (0.025, 0.975), 0), 0) == 0,
        float(np.mean(inputs**2)),
        training.loss.targets(t[rows], net.output_shape, net.dtype, "data.train"),
        t.ndim == 2,
        start is not None,
    )


def _look(
    training: Any, train: Train, batch: Data, x: np.ndarray, params: Parameters, seed: int
) -> Look:
    """Take one step from a copy of `params`; what was measured before it counts."""
    names = ("preactivation_gradient_rms", "saturation")
    alone = replace(
        training, batch_size="full", epochs=None, steps=1, schedule=Constant(), stop=None,
        probes=(Probe("loss"), *(Probe(name, 1) for name in names)),
    )  # fmt: skip
    history = train(alone, [batch], [seed], [params])[0].history
    gradient, saturation = (_first(history[name]) for name in names)
    kinds = dict(training.net.program.leaves)
    inner = list(kinds)[-1]  # an output that is sure of itself is no fault
    dead = dead_units(training.net, params, x)
    return Look(
        float(history["train_loss"].values[0]),
        gradient,
        {p: v for p, v in saturation.items() if kinds[p] in TWO_SIDED and p != inner},
        {path: float(np.mean(flags)) for path, flags in dead.items()},
        forward(training.net, params, batch.train[0]).astype(float),
    )


def _first(found: Any) -> Shares:
    """The first record of a probe, of each layer that has one."""
    values = found.values[0] if len(found) else np.zeros(0)
    pairs = zip(found["layer"].values.tolist(), values.tolist(), strict=False)
    return {path: value for path, value in pairs if not np.isnan(value)}


def _updates(result: Any, train: Train, data: Data, birth: Parameters) -> tuple[Shares, Shares]:
    """Return median and largest update, of the first steps run again."""
    training = result.training
    _, an_epoch, planned = training.length(len(data.train[0]))
    rates = training.schedule.rates(training.optimizer.lr, planned, an_epoch)[:STEPS]
    again = replace(
        training, epochs=None, steps=len(rates), schedule=make_schedule(rates), stop=None,
        probes=(Probe("update_ratio", 1),),
    )  # fmt: skip
    found = train(again, [data], [result.seed], [birth])[0].history["update_ratio"]
    layers, columns = found["layer"].values.tolist(), found.values.T
    kept = {path: values[np.isfinite(values)] for path, values in zip(layers, columns, strict=True)}
    kept = {path: values for path, values in kept.items() if values.size}
    return (
        {path: float(np.median(values)) for path, values in kept.items()},
        {path: float(np.max(values)) for path, values in kept.items()},
    )


def _weights(
    net: Any, birth: Parameters, end: Parameters
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Path of each dense and convolution layer, and its weights (..., outputs) then and now."""
    for path in (net.program.leaf(op)[0] for op in net.program.find("fans")):
        name = f"{path}.weight"
        if name in birth:
            yield path, birth[name].astype(float), end[name].astype(float)


def _alike(net: Any, birth: Parameters, end: Parameters) -> dict[str, int]:
    """Layers whose units compute one and the same: equal weights get equal gradients, for ever."""
    made = {}
    for path, *moments in _weights(net, birth, end):
        units = moments[0].shape[-1]
        if units > 1 and all(_same(weights) for weights in moments):
            made[path] = units
    return made


def _same(weights: NDArray[np.float64]) -> bool:
    """Whether every unit (the last axis) has the same weights, but for rounding."""
    size = np.sqrt(np.mean(weights**2))
    return bool(np.ptp(weights, axis=-1).max() <= SAME * size)


def _moved(net: Any, birth: Parameters, end: Parameters) -> tuple[Shares, Shares]:
    """Return how far each weight came, against its size and against 1 / sqrt(fan_in)."""
    moved: dict[str, float] = {}
    far: dict[str, float] = {}
    for path, before, after in _weights(net, birth, end):
        size, way = (float(np.sqrt(np.mean(v**2))) for v in (before, after - before))
        if math.isfinite(way):
            far[path] = way * math.sqrt(math.prod(before.shape[:-1]))  # weights end in outputs
            if size > 0:
                moved[path] = way / size
    return moved, far
