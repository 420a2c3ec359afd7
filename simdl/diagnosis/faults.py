"""What is wrong with a training, judged fault by fault.

Each threshold has its reason, and what was measured.

"Sound" are small dense, convolution and residual networks that learn digits, wine or a smooth
function; their extremes stand beside the thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.diagnosis.health import Gradient, Validation
from simdl.diagnosis.measuring import Measured
from simdl.losses import BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy

# A first layer that gets a thousandth of the last one's gradient stands still at any rate that the
# last one bears. Sound: .035 and more (two sigmoid layers); ten sigmoid layers: 4e-7.
VANISHING = 1e-3
# Sound: 7 and less (a residual net); from 100 no one rate serves the first layer and the last.
EXPLODING = 100.0
# Much of a layer is silent or stuck. Sound: 12 % dead, 34 % saturated, and less; but a quarter of a
# second layer above one single input is born dead: so it must have died, or be more than half.
DEAD, DIED, SILENT, SATURATED = 0.25, 0.1, 0.5, 0.5
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
# A network may be born far worse than one answer for all is; to come down to that is no merit.
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


def vanishing(case: Case) -> str:
    """The first layer gets next to no gradient, at birth and at the end."""
    g, m = case.gradient, case.m
    birth = math.nan if _cut(m.birth.dead) else g.birth
    end = math.nan if _cut(m.end.dead) else g.end
    if not np.fmax(birth, end) < VANISHING:
        return ""
    return f"the first layer gets {_two(g)} times the last one's gradient{_theory(g)}"


def exploding(case: Case) -> str:
    """The first layer gets far more gradient than the last, at birth and at the end."""
    g = case.gradient
    if not np.fmin(g.birth, g.end) > EXPLODING:
        return ""
    return f"the first layer gets {_two(g)} times the last one's gradient{_theory(g)}"


def _two(g: Gradient) -> str:
    return f"{g.birth:.2g}" + ("" if math.isnan(g.end) else f" (at the end {g.end:.2g})")


def _theory(g: Gradient) -> str:
    return "" if math.isnan(g.expected) else f"; theory at birth: {g.expected:.2g}"


def dead(case: Case) -> str:
    """Units that fire for no training sample, and died or are most of a layer."""
    worst = _worst(case.m.end.dead)
    if case.diverged or case.blank or worst is None or not worst[1] > DEAD:
        return ""
    layer, share = worst
    born = case.m.birth.dead.get(layer, math.nan)
    if share < SILENT and share < born + DIED:
        return ""
    return f"{share:.0%} of layer {layer} fire for no training sample ({born:.0%} at birth)"


def saturated(case: Case) -> str:
    """Activations where their slope is next to none."""
    worst = _worst(case.m.end.saturation)
    if case.diverged or worst is None or not worst[1] > SATURATED:
        return ""
    layer, share = worst
    born = case.m.birth.saturation.get(layer, math.nan)
    return f"{share:.0%} of layer {layer}'s activations have next to no slope ({born:.0%} at birth)"


def _worst(shares: Any) -> tuple[str, float] | None:
    return max(shares.items(), key=lambda pair: pair[1], default=None)


def symmetry(case: Case) -> str:
    """Units that compute one and the same."""
    if case.diverged or case.silent or case.blank or not case.m.alike:
        return ""
    layer, units = next(iter(case.m.alike.items()))
    return f"all {units} units of layer {layer} had the same weights at birth and have them still"


def small_rate(case: Case) -> str:
    """Weights that come nowhere, and a loss that shows it."""
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


def large_rate(case: Case) -> str:
    """A loss that rises or leaps, or weights thrown far away."""
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


def overfitting(case: Case) -> str:
    """A validation loss that rose again while the training loss fell."""
    v, (before, since) = case.validation, case.fallen
    if v is None or case.diverged or not since > OF_FALL:
        return ""
    outputs = case.m.end.output.shape[1]
    constant = constant_loss(case.result.training.loss, case.m.targets, outputs)
    fell = min(before, constant - v.least)
    if not (v.end > (1 + RISE) * v.least and v.end - v.least > OF_FALL * fell):
        return ""
    return (
        f"the validation loss was least at {v.unit} {v.at:g}, {v.least:.4g}; since then it rose to "
        f"{v.end:.4g}, while the training loss fell by {since:.0%}"
    )


def divergence(case: Case) -> str:
    """Numbers that are finite no more."""
    if not case.diverged:
        return ""
    update = max(case.m.peak.values(), default=0.0)
    large = f"; updates were up to {update:.2g} times the weights" if update > LARGE_UPDATE else ""
    return f"{case.result.reason}{large}"


def blank(case: Case) -> str:
    """No input differs between samples."""
    return "each is one value for all training samples" if case.blank else ""


def inputs(case: Case) -> str:
    """Inputs of very different sizes, or all far from 1."""
    from simdl.layers import BatchNorm, Flatten, GroupNorm, Identity, LayerNorm, RMSNorm

    layers = case.result.training.net.layers
    first = next((v for v in layers if not isinstance(v, Flatten | Identity)), None)
    varied = case.m.columns[(case.m.columns > 0) & ~case.m.steady]
    if not varied.size or isinstance(first, BatchNorm):
        return ""
    low, high, overall = varied.min(), varied.max(), math.sqrt(case.m.mean_square)
    if high > APART * low:  # which norms over a sample's values do not mend
        return f"root mean squares from {low:.2g} to {high:.2g}"
    if isinstance(first, LayerNorm | RMSNorm | GroupNorm):
        return ""
    if not SMALL_INPUTS < overall < LARGE_INPUTS:
        return f"their root mean square is {overall:.2g}"
    return ""


def targets(case: Case) -> str:
    """Numbers to predict far from 1."""
    size = math.sqrt(float(np.mean(case.m.targets.astype(float) ** 2)))
    if not case.m.numbers or size == 0 or SMALL_INPUTS < size < 1 / SMALL_INPUTS:
        return ""
    return f"their root mean square is {size:.2g}"


def squashed(case: Case) -> str:
    """A loss that takes logits, behind a layer that leaves none."""
    from simdl.layers import Sigmoid, Softmax

    training = case.result.training
    last, loss = training.net.layers[-1], training.loss
    if not isinstance(last, Sigmoid | Softmax):
        return ""
    if not isinstance(loss, SoftmaxCrossEntropy | BinaryCrossEntropy):
        return ""
    return f"the loss takes logits, and {type(last).__name__} leaves them no more than 0 to 1"


def constant(case: Case) -> str:
    """One answer for all samples, or next to it."""
    m, training = case.m, case.result.training
    if case.diverged or not np.isfinite(m.end.loss) or len(m.targets) < 2:
        return ""
    outputs = m.end.output.shape[1]
    least = constant_loss(training.loss, m.targets, outputs)
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


def constant_loss(loss: Loss, targets: np.ndarray, outputs: int) -> float:
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
