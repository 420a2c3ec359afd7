"""Claims, what is expected of them, and the records of verdicts.

`expected` stands in one table here, so that a scenario cannot choose it after seeing its result.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simdl.errors import suggest
from simdl.scenario import texts
from simdl.scenario.judges import VERDICTS, Judgement, Verdict

# Scenario: (claims expected to hold, claims expected to be refuted). Ids T.. number the claims of
# the source text (where it is silent, of the literature); ids P-.. are closed forms and published
# values. A row that two scenarios judge stands in both.
_TABLE: dict[str, tuple[str, str]] = {
    "nonlinearity": (
        "T01a T01b P-xor-mse P-xor-entropy P-xor-accuracy P-xor-solved P-cover P-cover-bias "
        "P-cover-half P-cover-deep P-boolean",
        "",
    ),
    "activation_functions": ("T02 T04 T05a T05b T09a T09c T41a", "T09b T41b T42"),
    "vanishing_gradients": (
        "T03 T06a T07a T22a T22b T22c T23a T23b "
        "P-relu-forward P-relu-backward P-weight-gradient P-linear "
        "P-sigmoid-lecun P-sigmoid-uniform P-sigmoid-bound",
        "T06b T07b",
    ),
    "dead_relu": (
        "T10a T11 T12 P-dead-at-input P-born-dead-bounds P-born-dead-exact P-born-dead-two "
        "P-born-dead-three P-collapse",
        "T08 T10b T43",
    ),
    "softmax": ("T13 P-squared-gradient P-slow-squared P-slow-entropy", ""),
    "gradient_descent": (
        "T14 T15b T16 T17a T18 P-batch-variance P-without-replacement P-noise-scale "
        "P-largest-rate P-stationary P-stationary-momentum",
        "T15a T15c T17b T17c",
    ),
    "optimizers": (
        "T19a T20a T21b P-adagrad-rate P-descent-rate P-heavy-ball P-largest-rate-momentum "
        "P-first-step P-adam-caught P-adam-regret P-amsgrad-regret",
        "T19b T20b T21a",
    ),
    "batch_normalization": (
        "T28a T28b P-bn-relu P-bn-relu-batch P-bn-sigmoid P-bn-identity "
        "P-scale-orthogonal P-scale-inverse P-scale-norm",
        "T23c",
    ),
    "edge_of_stability": (
        "P-edge-start P-edge-rises P-edge-small P-edge-middle P-edge-large P-edge-never "
        "P-edge-even P-edge-uneven P-edge-falls",
        "",
    ),
    "exploding_gradients": (
        "T24a T24b T25a T25b P-relu-explosion P-fluctuation P-log-fluctuation P-overflow",
        "",
    ),
    "initialization": (
        "T25a P-he-sgd P-glorot-sgd P-glorot-adam P-spectrum-linear "
        "P-spectrum-linear-orthogonal P-spectrum-relu P-spectrum-relu-orthogonal P-deep-linear",
        "",
    ),
    "signal_propagation": (
        "P-line-small P-line-middle P-line-large P-line-relu P-growth-ordered P-growth-chaotic "
        "P-correlation-ordered P-correlation-chaotic P-correlation-far "
        "P-trainable-ordered P-trainable-chaotic",
        "",
    ),
    "input_normalization": (
        "T26 T27a T27b P-condition-plain P-condition-bias P-condition-standard P-steps-condition",
        "",
    ),
    "layer_normalization": ("T29a T29b P-ln-relu", ""),
    "double_descent": (
        "P-ridgeless-under P-ridgeless-before P-ridgeless-behind P-ridgeless-over P-chosen-under "
        "P-chosen-over P-second-descent P-hump-networks",
        "",
    ),
    "random_labels": ("P-random-memorized P-random-chance P-random-contrast", ""),
    "dropout": (
        "T30a T30c P-dropout-tuned P-dropout-correlation P-dropout-loss P-dropout-weights-light "
        "P-dropout-weights-half P-dropout-weights-heavy P-ensemble-linear P-ensemble-last "
        "P-ensemble-inputs P-ensemble-clean-accuracy P-ensemble-noisy-accuracy P-ensemble-single "
        "P-ensemble-clean-loss",
        "T30b",
    ),
    "overfitting": ("T31 T32a T32b T33 P-criteria-time P-criteria-loss", "T32c T32d"),
    "weight_penalties": ("T34 T35a T35b P-stopping-bound P-stopping-tight", ""),
    "fully_connected": (
        "T36 T37a P-mnist1d-logistic P-mnist1d-mlp P-mnist1d-cnn P-mnist1d-parameters "
        "P-vgg-parameters P-vgg-first-dense",
        "T37b",
    ),
    "pooling": (
        "T38 T39a P-shift-exact P-shift-stride P-bernoulli-average "
        "P-bernoulli-max P-bernoulli-peak",
        "T39b",
    ),
    "receptive_field": ("T40a T40b", ""),
}
# A part of a row of the source text: T03-factor is judged as a part of T03.
_PART = re.compile(r"(?P<row>T\d\d[a-z]?)-[A-Za-z0-9_]+")


def expected_in(scenario: str) -> dict[str, Verdict]:
    """Return the ids a scenario answers for, with the verdict expected of each.

    Raises
    ------
    ValueError
        A scenario that is not in the table.
    """
    if scenario not in _TABLE:
        raise ValueError(f"{scenario!r}: no such scenario{suggest(scenario, _TABLE)}")
    hold, refuted = _TABLE[scenario]
    known: dict[str, Verdict] = dict.fromkeys(hold.split(), "holds")
    return known | dict.fromkeys(refuted.split(), "refuted")


_EXPECTED: dict[str, Verdict] = {
    claim: verdict for scenario in _TABLE for claim, verdict in expected_in(scenario).items()
}


def row(claim: str) -> str:
    """Return the row of the source text that a claim is a part of; any other id as it is."""
    part = _PART.fullmatch(claim)
    return part["row"] if part else claim


def expected(claim: str) -> Verdict:
    """Return the verdict expected of a claim, or of the row of which it is a part.

    Raises
    ------
    ValueError
        An id that is not in the table.
    """
    if row(claim) not in _EXPECTED:
        raise ValueError(f"{claim!r}: no such claim{suggest(row(claim), _EXPECTED)}")
    return _EXPECTED[row(claim)]


@dataclass(frozen=True)
class Claim:
    """A claim with its judgement.

    Parameters
    ----------
    id : str
        An id of the table, or a part of one (``T03-factor``).
    judgement : Judgement
        What the judge found.
    expected : str
        Left out for ids of the table, which knows it. A user's own scenario, whose ids are not in
        the table and do not begin with T and two digits, says here what it expects.
    statement, source : str
        Left out where the texts' file has them; a user's own scenario says them here.
    sweep : str
        The sweep or measurement the claim rests on, where a scenario has several.

    Raises
    ------
    ValueError
        `expected` contradicts the table, is missing, or is no verdict.
    """

    id: str
    judgement: Judgement
    expected: str = ""
    statement: str = ""
    source: str = ""
    sweep: str = ""

    def __post_init__(self) -> None:
        own = self.id not in _EXPECTED and not re.match(r"T\d\d", self.id)
        if own and self.expected:
            if self.expected not in VERDICTS:
                raise ValueError(f"{self.id}: expected {self.expected!r}: must be in {VERDICTS}")
            return
        fixed = expected(self.id)
        if self.expected not in ("", fixed):
            raise ValueError(f"{self.id}: expected {self.expected!r}: the table says {fixed!r}")
        object.__setattr__(self, "expected", fixed)


def record(
    scenario: str,
    claim: Claim,
    *,
    seconds: float,
    command: str,
    pilot: float | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """Return a claim's entry in the file of verdicts, ready for JSON (nan and inf become None).

    Parameters
    ----------
    seconds : float
        Computing time of the trials the claim rests on: provenance, no part of the verdict.
    command : str
        The command that produces the verdict again.
    pilot : float or None
        The power on pilot seeds, where it is known.

    Raises
    ------
    simdl.scenario.texts.MissingText
        Neither the claim nor the texts' file states it.
    """
    found = claim.judgement
    statement, source, unexpected = claim.statement, claim.source, None
    if scenario not in texts.load():  # a user's own, which need not state every claim
        statement, source = statement or claim.id, source or "not stated"
    if not (statement and source):
        said = texts.claim(scenario, claim.id, language)
        statement, source = statement or said.statement, source or said.source
        unexpected = said.unexpected
    entry: dict[str, Any] = {
        "scenario": scenario,
        "id": claim.id,
        "statement": statement,
        "source": source,
        "expected": claim.expected,
        "verdict": found.verdict,
        "measured": _number(found.measured),
        "interval": [_number(end) for end in found.interval],
        "reference": _number(found.reference),
        "tolerance": _number(found.tolerance),
        "band": None if found.band is None else [_number(end) for end in found.band],
        "trials": int(found.trials),
        "power": _number(found.power),
        "pilot_power": _number(pilot),
        "seconds": _number(seconds),
        "command": command,
    }
    if unexpected is not None:
        entry["unexpected"] = unexpected
    return entry


def contrary(record: Mapping[str, Any], quick: bool) -> bool:
    """Tell whether a record makes ``--check`` fail (exit 3).

    It does if the verdict is the contrary of what is expected, or, but in quick runs, if it is
    inconclusive; unless the record carries the reason, `unexpected`.
    """
    if record["verdict"] == record["expected"] or record.get("unexpected"):
        return False
    return not (quick and record["verdict"] == "inconclusive")


def _number(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(value)
