"""The warnings: what judges each, what helps against it, and the scenario that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from simdl import layers as L
from simdl.diagnosis import faults
from simdl.diagnosis.faults import Case
from simdl.diagnosis.health import Fault
from simdl.initializers import Scaled


class Rule(NamedTuple):
    """`judge` says what is wrong, or ""; what helps, of which some may be in place already."""

    name: str
    judge: Callable[[Case], str]
    remedies: tuple[str, ...]
    scenario: str


HE, HE_BIASES = "init='he_normal'", "init='he_normal' with biases from 0"
CLIP, STOP, DROPOUT, L2, LEAKY = "clip_norm=1", "stop='patience'", "Dropout", "l2", "LeakyReLU"
BATCH_NORM, SCALED = "BatchNorm", "scale='standard' where the data are loaded"

RULES = (
    Rule(
        "divergence", faults.divergence,
        ("a learning rate ten times lower", CLIP, "scaled inputs and targets"), "gradient_descent",
    ),
    Rule(
        "vanishing gradient", faults.vanishing,
        (f"ReLU with {HE}", "fewer layers", BATCH_NORM, "Residual"), "vanishing_gradients",
    ),
    Rule(
        "exploding gradient", faults.exploding,
        (f"{HE} (ReLU) or 'glorot_normal' (tanh)", BATCH_NORM, CLIP), "exploding_gradients",
    ),
    Rule(
        "dead units", faults.dead,
        (HE_BIASES, "a lower learning rate", LEAKY, "wider layers"), "dead_relu",
    ),
    Rule(
        "saturated units", faults.saturated,
        ("smaller initial weights ('glorot_normal')", "scaled inputs", "a lower learning rate"),
        "initialization",
    ),
    Rule(
        "symmetric units", faults.symmetry,
        (f"weights drawn at random ({HE} or 'glorot_normal'): equal ones stay equal",),
        "initialization",
    ),
    Rule(
        "learning rate too small", faults.small_rate,
        ("a learning rate ten or more times higher (Adam: 1e-3)",), "gradient_descent",
    ),
    Rule(
        "learning rate too large", faults.large_rate,
        ("a learning rate three to ten times lower", "a schedule that lowers it"),
        "gradient_descent",
    ),
    Rule(
        "overfitting", faults.overfitting,
        (STOP, "more data", DROPOUT, L2, "a smaller network"), "overfitting",
    ),
    Rule(
        "constant inputs", faults.blank,
        ("inputs that differ between samples: there is nothing to learn from",),
        "input_normalization",
    ),
    Rule(
        "unscaled inputs", faults.inputs,
        (SCALED, "BatchNorm() as the first layer"), "input_normalization",
    ),
    Rule(
        "unscaled targets", faults.targets,
        ("targets of mean 0 and standard deviation 1; files are scaled so when loaded",),
        "input_normalization",
    ),
    Rule(
        "squashed logits", faults.squashed,
        ("a Dense as last layer: the loss applies softmax or sigmoid itself",), "softmax",
    ),
    Rule(
        "constant output", faults.constant,
        ("what the other warnings name", "longer training", "weaker penalties",
         "weights that differ"),
        "initialization",
    ),
)  # fmt: skip


def _has(case: Case, *kinds: type) -> bool:
    return any(isinstance(layer, kinds) for layer in case.result.training.net.layers)


def _he_initialized(case: Case) -> bool:
    init: Any = case.result.training.net.initializer
    drawn = not case.m.given
    return drawn and isinstance(init, Scaled) and (init.gain, init.fan) == (2.0, "in")


IN_PLACE: dict[str, Callable[[Case], bool]] = {
    HE_BIASES: _he_initialized,
    f"ReLU with {HE}": lambda case: _he_initialized(case) and _has(case, L.ReLU),
    BATCH_NORM: lambda case: _has(case, L.BatchNorm),
    "Residual": lambda case: _has(case, L.Residual),
    LEAKY: lambda case: _has(case, L.LeakyReLU),
    DROPOUT: lambda case: _has(case, L.Dropout),
    CLIP: lambda case: case.result.training.clip_norm > 0,
    STOP: lambda case: case.result.training.stop is not None,
    L2: lambda case: case.result.training.l2 > 0,
    SCALED: lambda case: getattr(case.result.encoder.scaler, "kind", "none") == "standard",
}


def remedy(rule: Rule, case: Case) -> str:
    """What helps, but for what is in place already."""
    left = [r for r in rule.remedies if not (r in IN_PLACE and IN_PLACE[r](case))]
    *others, last = left or rule.remedies
    return f"{', '.join(others)} or {last}" if others else last


def judged(case: Case) -> tuple[Fault, ...]:
    """Return what is wrong, the gravest first."""
    found = ((rule, rule.judge(case)) for rule in RULES)
    return tuple(
        Fault(rule.name, what, remedy(rule, case), rule.scenario) for rule, what in found if what
    )
