"""Which warnings a training deserves. Each threshold has its reason, and what was measured.

"Sound" are small dense, convolution and residual networks that learn digits, wine or a smooth
function; their extremes stand beside the thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from simdl.diagnosis.health import Fault, Gradient, Validation
from simdl.diagnosis.measuring import Measured
from simdl.losses import BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy

# A first layer that gets a thousandth of the last one's gradient stands still at any rate that the
# last one bears. Sound: .035 and more (two sigmoid layers); ten sigmoid layers: 4e-7.
VANISHING = 1e-3
# Sound: 7 and less (a residual net); from 100 no one rate serves the first layer and the last.
EXPLODING = 100.0
# Most of a layer is silent or stuck. Sound: 12 % dead, 34 % saturated, and less.
DEAD, SATURATED = 0.25, 0.5
# About 1e-3 an update is customary (sound: 8e-4 to .015); a hundred times fewer, and weights that
# come nowhere in the whole training, and a loss that shows it.
SMALL_UPDATE, UNMOVED, STILL = 1e-5, 0.01, 0.05
# A first update of a tenth of the weights or more, which end up far away (ten times the size that
# initializers give, so that small ones do not count), and more than half of the loss remains.
LARGE_UPDATE, FAR, POOR = 0.1, 10.0, 0.5
# Rises of the training loss between its records, over what it fell. Sound: .003 and less.
RISES = 0.25
# Rise of the validation loss over its least value, after Prechelt's generalization loss (1998), and
# over what it fell before, without which small losses of sound networks (+46 %, 8 %) would count.
RISE, OF_FALL = 0.05, 0.1
# Orders of magnitude between inputs; and all of them far from 1, for which initializers are made.
# Sound: 2.4 between inputs that vary, .9 to 1 overall; pixels from 0 to 16: 7.
APART, LARGE_INPUTS, SMALL_INPUTS = 100.0, 10.0, 0.01
# A loss of the best constant answer, or next to it, by outputs that hardly differ.
AS_CONSTANT, ALIKE = 0.98, 0.1


@dataclass(frozen=True)
class Case:
    """What rules look at.

    Attributes
    ----------
    result : the finished training
    m : what was measured of it
    gradient : first over last layer
    losses : the training loss over the training, empty if it was not recorded
    validation : None without validation losses
    fallen : how much the validation loss fell before it was least, and the training loss since
    """

    result: Any
    m: Measured
    gradient: Gradient
    losses: np.ndarray
    validation: Validation | None
    fallen: tuple[float, float]

    @property
    def diverged(self) -> bool:
        return self.result.divergence is not None

    @property
    def silent(self) -> bool:
        """Whether a layer of dead units cuts every gradient off."""
        return _cut(self.m.end.dead) or _cut(self.m.birth.dead)

    @property
    def blank(self) -> bool:
        """Whether every input is the same for all samples: units then have nothing to fire for."""
        return not (self.m.columns > 0).any()


def _cut(dead: Mapping[str, float]) -> bool:
    return max(dead.values(), default=0) == 1


def _vanishing(case: Case) -> str:
    g, m = case.gradient, case.m
    birth = math.nan if _cut(m.birth.dead) else g.birth
    end = math.nan if _cut(m.end.dead) else g.end
    if not np.fmax(birth, end) < VANISHING:
        return ""
    return f"the first layer gets {_two(g)} times the last one's gradient{_theory(g)}"


def _exploding(case: Case) -> str:
    g = case.gradient
    if not np.fmin(g.birth, g.end) > EXPLODING:
        return ""
    return f"the first layer gets {_two(g)} times the last one's gradient{_theory(g)}"


def _two(g: Gradient) -> str:
    return f"{g.birth:.2g}" + ("" if math.isnan(g.end) else f" (at the end {g.end:.2g})")


def _theory(g: Gradient) -> str:
    return "" if math.isnan(g.expected) else f"; theory at birth: {g.expected:.2g}"


def _dead(case: Case) -> str:
    worst = _worst(case.m.end.dead)
    if case.diverged or case.blank or worst is None or not worst[1] > DEAD:
        return ""
    layer, share = worst
    born = case.m.birth.dead.get(layer, math.nan)
    return f"{share:.0%} of layer {layer} fire for no training sample ({born:.0%} at birth)"


def _saturated(case: Case) -> str:
    worst = _worst(case.m.end.saturation)
    if case.diverged or worst is None or not worst[1] > SATURATED:
        return ""
    layer, share = worst
    born = case.m.birth.saturation.get(layer, math.nan)
    return f"{share:.0%} of layer {layer}'s activations have next to no slope ({born:.0%} at birth)"


def _worst(shares: Any) -> tuple[str, float] | None:
    return max(shares.items(), key=lambda pair: pair[1], default=None)


def _symmetry(case: Case) -> str:
    if case.diverged or case.silent or case.blank or not case.m.alike:
        return ""
    layer, units = next(iter(case.m.alike.items()))
    return f"all {units} units of layer {layer} had the same weights at birth and have them still"


def _small_rate(case: Case) -> str:
    m = case.m
    update, moved = (max(v.values(), default=0.0) for v in (m.update, m.moved))
    still = m.end.loss > (1 - STILL) * m.birth.loss > 0
    driven = bool(m.update) and max(m.birth.gradient.values(), default=0.0) > 0
    if case.silent or not (driven and update < SMALL_UPDATE and moved < UNMOVED and still):
        return ""
    return (
        f"updates of {update:.1g} of the weights, which moved by {moved:.1g} in all: the loss went "
        f"from {m.birth.loss:.4g} to {m.end.loss:.4g}"
    )


def _large_rate(case: Case) -> str:
    m, losses = case.m, case.losses
    if case.diverged:
        return ""
    before, after = m.birth.loss, m.end.loss
    update, far = (max(v.values(), default=0.0) for v in (m.peak, m.far))
    if after > (1 + STILL) * before > 0:
        return f"the training loss rose from {before:.4g} to {after:.4g}"
    if update > LARGE_UPDATE and far > FAR and after > POOR * before:
        return f"updates of up to {update:.2g} times the weights, and the loss is still {after:.4g}"
    if losses.size > 1 and np.isfinite(losses).all():
        rises = float(np.diff(losses).clip(0).sum())
        fall = max(losses[0] - losses.min(), 0.1 * abs(losses[0]))
        if rises > RISES * fall:
            return f"the training loss rose by {rises:.2g} in between, and fell by {fall:.2g}"
    return ""


def _overfitting(case: Case) -> str:
    v, (before, since) = case.validation, case.fallen
    if v is None or case.diverged or not since > OF_FALL:
        return ""
    if not (v.end > (1 + RISE) * v.least and v.end - v.least > OF_FALL * before):
        return ""
    return (
        f"the validation loss was least at {v.unit} {v.at:g}, {v.least:.4g}; since then it rose to "
        f"{v.end:.4g}, while the training loss fell by {since:.0%}"
    )


def _divergence(case: Case) -> str:
    if not case.diverged:
        return ""
    update = max(case.m.peak.values(), default=0.0)
    large = f"; updates were up to {update:.2g} times the weights" if update > LARGE_UPDATE else ""
    return f"{case.result.reason}{large}"


def _blank(case: Case) -> str:
    return "each is one value for all training samples" if case.blank else ""


def _inputs(case: Case) -> str:
    from simdl.layers import BatchNorm

    columns, first = case.m.columns, case.result.training.net.layers[0]
    varied = columns[(columns > 0) & ~case.m.steady]
    if not varied.size or isinstance(first, BatchNorm):
        return ""
    low, high, overall = varied.min(), varied.max(), math.sqrt(case.m.mean_square)
    if high > APART * low:
        return f"root mean squares from {low:.2g} to {high:.2g}"
    if not SMALL_INPUTS < overall < LARGE_INPUTS:
        return f"their root mean square is {overall:.2g}"
    return ""


def _targets(case: Case) -> str:
    size = math.sqrt(float(np.mean(case.m.targets.astype(float) ** 2)))
    if not case.m.numbers or size == 0 or SMALL_INPUTS < size < 1 / SMALL_INPUTS:
        return ""
    return f"their root mean square is {size:.2g}"


def _squashed(case: Case) -> str:
    from simdl.layers import Sigmoid, Softmax

    training = case.result.training
    last, loss = training.net.layers[-1], training.loss
    if not isinstance(last, Sigmoid | Softmax):
        return ""
    if not isinstance(loss, SoftmaxCrossEntropy | BinaryCrossEntropy):
        return ""
    return f"the loss takes logits, and {type(last).__name__} leaves them no more than 0 to 1"


def _constant(case: Case) -> str:
    m, training = case.m, case.result.training
    if case.diverged or not np.isfinite(m.end.loss) or len(m.targets) < 2:
        return ""
    outputs = m.end.output.shape[1]
    least = _constant_loss(training.loss, m.targets, outputs)
    # Logits that differ by less tell nothing; numbers are measured by their targets.
    logits = isinstance(training.loss, SoftmaxCrossEntropy | BinaryCrossEntropy)
    unit = 1.0 if logits else float(m.targets.std(0).mean())
    spread = float(m.end.output.std(0).mean())
    if not (m.end.loss > AS_CONSTANT * least > 0 and spread < ALIKE * unit):
        return ""
    stuck = f" (ln K = {math.log(outputs):.4g})" if training.loss.labels else ""
    return (
        f"the outputs differ by {spread:.1g} between samples; the loss, {m.end.loss:.4g}, is no "
        f"better than that of one answer for all, {least:.4g}{stuck}"
    )


def _constant_loss(loss: Loss, targets: np.ndarray, outputs: int) -> float:
    """Loss of the best single answer (nearly so for huber, whose best lies by the median)."""
    rule, option = loss.rule()
    if isinstance(loss, SoftmaxCrossEntropy):
        shares = np.bincount(targets[:, 0].astype(int), minlength=outputs) / len(targets)
        shares = (1 - option) * shares + option / outputs
        best = np.log(np.maximum(shares, 1e-6))
    elif isinstance(loss, BinaryCrossEntropy):
        p = np.clip(targets.mean(0), 1e-6, 1 - 1e-6)
        best = np.log(p / (1 - p))
    else:
        squares = isinstance(loss, MeanSquaredError)
        best = targets.mean(0) if squares else np.median(targets, 0)
    answers = np.tile(best.astype(targets.dtype), (len(targets), 1))
    losses, gradients = np.empty(len(targets), targets.dtype), np.empty_like(answers)
    rule(losses, gradients, answers, targets, option)
    return float(losses.mean(dtype=float))


class _Rule(NamedTuple):
    """`judge` says what is wrong, or ""; what helps, and the scenario that shows it."""

    name: str
    judge: Callable[[Case], str]
    remedy: str
    scenario: str


RULES = (
    _Rule(
        "divergence", _divergence,
        "a learning rate ten times lower, clip_norm=1, scaled inputs and targets",
        "gradient_descent",
    ),
    _Rule(
        "vanishing gradient", _vanishing,
        "ReLU with init='he_normal', fewer layers, BatchNorm or Residual", "vanishing_gradients",
    ),
    _Rule(
        "exploding gradient", _exploding,
        "init='he_normal' (ReLU) or 'glorot_normal' (tanh), BatchNorm, clip_norm=1",
        "exploding_gradients",
    ),
    _Rule(
        "dead units", _dead,
        "init='he_normal' with biases from 0, a lower learning rate, LeakyReLU", "dead_relu",
    ),
    _Rule(
        "saturated units", _saturated,
        "smaller initial weights ('glorot_normal'), scaled inputs, a lower learning rate",
        "initialization",
    ),
    _Rule(
        "symmetric units", _symmetry,
        "weights drawn at random (init='he_normal' or 'glorot_normal'): equal ones stay equal",
        "initialization",
    ),
    _Rule(
        "learning rate too small", _small_rate,
        "a learning rate ten or more times higher (Adam: 1e-3)", "gradient_descent",
    ),
    _Rule(
        "learning rate too large", _large_rate,
        "a learning rate three to ten times lower, or a schedule that lowers it",
        "gradient_descent",
    ),
    _Rule(
        "overfitting", _overfitting,
        "stop='patience', more data, Dropout, l2 or a smaller network", "overfitting",
    ),
    _Rule(
        "constant inputs", _blank,
        "inputs that differ between samples: there is nothing to learn from", "input_normalization",
    ),
    _Rule(
        "unscaled inputs", _inputs,
        "scale='standard' where the data are loaded, or BatchNorm() as the first layer",
        "input_normalization",
    ),
    _Rule(
        "unscaled targets", _targets,
        "targets of mean 0 and standard deviation 1; files are scaled so when loaded",
        "input_normalization",
    ),
    _Rule(
        "squashed logits", _squashed,
        "a Dense as last layer: the loss applies softmax or sigmoid itself", "softmax",
    ),
    _Rule(
        "constant output", _constant,
        "what the other warnings name; longer training, weaker penalties, weights that differ",
        "initialization",
    ),
)  # fmt: skip


def faults(case: Case) -> tuple[Fault, ...]:
    """Return what is wrong, the gravest first."""
    judged = ((rule, rule.judge(case)) for rule in RULES)
    return tuple(Fault(r.name, found, r.remedy, r.scenario) for r, found in judged if found)
