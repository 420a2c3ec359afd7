"""What is expected stands in one table; records have the agreed keys; exit 3 follows its rule."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from simdl.scenario import claims, judges, texts
from simdl.scenario.judges import Judgement

REFUTED = {
    "T06b",
    "T07b",
    "T08",
    "T09b",
    "T10b",
    "T15a",
    "T15c",
    "T17b",
    "T17c",
    "T19b",
    "T20b",
    "T21a",
    "T23c",
    "T30b",
    "T32c",
    "T32d",
    "T37b",
    "T39b",
    "T41b",
    "T42",
    "T43",
}


def test_the_table_of_expectations():
    rows = {row for row in claims._EXPECTED if row.startswith("T")}
    assert {row for row in rows if claims.expected(row) == "refuted"} == REFUTED
    assert {int(row[1:3]) for row in rows} == set(range(1, 44))
    assert len(rows) == 76
    for scenario in claims._TABLE:
        for row, verdict in claims.expected_in(scenario).items():
            assert claims.expected(row) == verdict, "two scenarios expect different things"


def test_parts_take_their_rows_value():
    assert claims.expected("T03-factor") == claims.expected("T03-training") == "holds"
    assert claims.expected("T06b-deep") == "refuted"
    for wrong in ("T99", "T03_factor", "T06-deep", "T03-", "P-relu-backwards"):
        with pytest.raises(ValueError, match="no such claim"):
            claims.expected(wrong)


JUDGED = judges.equivalence([0.235, 0.236, 0.237], 0.2361, 0.03, level=judges.QUICK_LEVEL)


def test_a_scenario_cannot_choose_what_is_expected():
    assert claims.Claim("T06b", JUDGED).expected == "refuted"
    assert claims.Claim("T06b", JUDGED, expected="refuted").expected == "refuted"
    for id in ("T06b", "T06b-deep", "T03-factor", "P-linear"):
        wrong = "holds" if claims.expected(id) == "refuted" else "refuted"
        with pytest.raises(ValueError, match="the table says"):
            claims.Claim(id, JUDGED, expected=wrong)
    with pytest.raises(ValueError, match="no such claim"):
        claims.Claim("T77", JUDGED, expected="holds")
    assert claims.Claim("mine", JUDGED, expected="refuted").expected == "refuted"
    with pytest.raises(ValueError, match="must be in"):
        claims.Claim("mine", JUDGED, expected="yes")
    with pytest.raises(ValueError, match="no such claim"):
        claims.Claim("mine", JUDGED)


KEYS = [
    "scenario",
    "id",
    "statement",
    "source",
    "expected",
    "verdict",
    "measured",
    "interval",
    "reference",
    "tolerance",
    "band",
    "trials",
    "power",
    "pilot_power",
    "seconds",
    "command",
]


def test_record():
    claim = claims.Claim("T03-factor", JUDGED)
    made = claims.record("vanishing_gradients", claim, seconds=1.5, command="simdl run x")
    assert list(made) == KEYS
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["statement"] == texts.text("vanishing_gradients.claims.T03-factor.statement")
    assert made["interval"] == list(JUDGED.interval)
    assert (made["power"], made["pilot_power"]) == (JUDGED.power, None)
    zh = claims.record("vanishing_gradients", claim, seconds=1, command="", language="zh")
    assert zh["statement"] != made["statement"]


def test_record_is_safe_for_json():
    judged = Judgement(
        "refuted", np.float64(math.inf), (math.nan, np.float32(1)), None, None, 3, 0.0
    )
    own = claims.Claim("mine", judged, expected="holds", statement="s", source="t")
    made = claims.record("my_own", own, seconds=math.nan, command="c")
    json.dumps(made, allow_nan=False)
    assert (made["measured"], made["interval"], made["seconds"]) == (None, [None, 1.0], None)
    assert (made["reference"], made["statement"], made["source"]) == (None, "s", "t")


def test_record_carries_the_reason_of_an_unexpected_verdict(monkeypatch):
    both = {"en": "x", "zh": "x"}
    entry = {"statement": both, "source": both, "unexpected": {"en": "because", "zh": "x"}}
    monkeypatch.setattr(texts, "load", lambda: {"s": {"claims": {"T06b": entry}}})
    made = claims.record("s", claims.Claim("T06b", JUDGED), seconds=0, command="")
    assert list(made) == [*KEYS, "unexpected"]
    assert made["unexpected"] == "because"
    assert not claims.contrary(made, quick=False)


@pytest.mark.parametrize(
    ("expected", "verdict", "unexpected", "fails", "fails_quick"),
    [
        ("holds", "holds", None, False, False),
        ("refuted", "refuted", None, False, False),
        ("holds", "refuted", None, True, True),
        ("refuted", "holds", None, True, True),
        ("holds", "inconclusive", None, True, False),
        ("holds", "refuted", "a reason", False, False),
        ("holds", "inconclusive", "a reason", False, False),
        ("holds", "refuted", "", True, True),
    ],
)
def test_contrary(expected, verdict, unexpected, fails, fails_quick):
    record = {"expected": expected, "verdict": verdict}
    if unexpected is not None:
        record["unexpected"] = unexpected
    assert claims.contrary(record, quick=False) is fails
    assert claims.contrary(record, quick=True) is fails_quick
