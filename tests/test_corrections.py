"""What the textbook gets wrong: each refuted row has figure and words, in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simdl.scenario import texts
from simdl.scenario.catalogue import names
from simdl.scenario.claims import expected, expected_in
from simdl.scenario.corrections import corrections, load
from simdl.scenario.runner import assemble

REFUTED = {
    claim: name
    for name in names()
    for claim, verdict in expected_in(name).items()
    if verdict == "refuted"
}


def judged(claim: str, verdict: str = "refuted", scenario: str = "gradient_descent") -> Any:
    return {
        "id": claim, "scenario": scenario, "verdict": verdict, "measured": 1.0, "interval": [0, 2],
        "reference": None, "tolerance": None, "band": None, "command": "simdl run x",
    }  # fmt: skip


def test_only_what_is_expected_to_be_refuted_is_corrected() -> None:
    assert {expected(claim) for claim in load()} == {"refuted"}
    assert set(REFUTED) <= set(load())


@pytest.mark.parametrize("claim", REFUTED)
def test_words_and_figure_are_there(claim: str) -> None:
    (entry,) = corrections([judged(claim, scenario=REFUTED[claim])])
    for said in (entry["says"], entry["instead"]):
        assert set(said) == set(texts.LANGUAGES) and all(said.values())
    scenario, part = entry["figure"].split("-")
    assert scenario == REFUTED[claim]
    assert texts.caption(scenario, part)


def test_parts_are_one_row_and_all_must_be_refuted() -> None:
    (entry,) = corrections([judged("T10b-deeper"), judged("T10b-momentum"), judged("T14")])
    assert entry["refuted"] and [part["id"] for part in entry["parts"]] == [
        "T10b-deeper", "T10b-momentum",
    ]  # fmt: skip
    (entry,) = corrections([judged("T10b-deeper"), judged("T10b-momentum", "inconclusive")])
    assert not entry["refuted"]


def test_a_whole_run_writes_them(tmp_path: Path) -> None:
    records = [judged("T15c"), judged("T14", "holds")]
    (tmp_path / "gradient_descent.json").write_text(json.dumps(records), encoding="utf-8")
    assert assemble(tmp_path, ["gradient_descent", "softmax"]) == records
    written = json.loads((tmp_path / "textbook.json").read_text(encoding="utf-8"))
    assert written == corrections(records)
