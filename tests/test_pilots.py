"""Power on pilot seeds: asked for, kept beside the scenario, shown, and found wanting."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from test_cli import SCENARIO, run

from simdl.scenario import judges, pilots, texts
from simdl.scenario.catalogue import find, names
from simdl.scenario.claims import expected, expected_in
from simdl.scenario.intervals import LEVEL


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "wider.py"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def verdict(capsys: pytest.CaptureFixture[str], *arguments: Any, code: int = 0) -> dict[str, Any]:
    assert run("run", *arguments, "--json", "--jobs", "1") == code
    (record,) = json.loads(capsys.readouterr().out)
    return dict(record)


def test_a_pilot_is_kept_and_shown_beside_a_runs_own_power(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = scenario.parent / "figures"
    given = (scenario, "--out", out)
    unknown = verdict(capsys, *given)
    assert unknown["power"] > 0 and unknown["pilot_power"] is None
    pilot = verdict(capsys, *given, "--pilot", "--check")
    assert pilot["power"] == pilot["pilot_power"] != unknown["power"]  # on other seeds
    shutil.copy(out / "pilots" / "wider.pilot.toml", scenario.parent)
    assert verdict(capsys, *given)["power"] == unknown["power"]
    for more, known in (((), True), (("--seed", 7), True), (("--set", "steps=20"), False)):
        shown = verdict(capsys, *given, *more)["pilot_power"]
        assert shown == (pytest.approx(pilot["power"], rel=0.01) if known else None)
    run("run", *given)
    table = capsys.readouterr().out
    assert f"{pilot['power']:.3g}"[:3] in table.splitlines()[1].split("holds")[-1]


def test_too_few_replicates_are_told(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scenario.parent / "weak"
    plain = verdict(capsys, scenario, "--out", out, "--pilot")
    mean, (low, high) = plain["measured"], plain["interval"]
    near = mean - (high - low)  # two half-widths below the estimate
    weak = ("run", scenario, "--out", out, "--pilot", "--set", f"margin={near}", "--jobs", "1")
    assert run(*weak) == 0
    assert "POWER BELOW 2.5, more replicates are needed: wide (2)" in capsys.readouterr().err
    assert run(*weak, "--check") == 3
    assert run(*weak, "--seed", "5") == 2
    assert "--seed and --pilot" in capsys.readouterr().err


def test_deterministic_judgements_have_no_power() -> None:
    judged = {"id": "T13", "power": None, "pilot_power": None}
    assert judges.exact([1.0], 1.0, 0.0).power == float("inf")  # what JSON has no number for
    assert pilots.weak([judged]) == []
    assert pilots.weak([judged | {"power": 2.4}, judged | {"power": 2.4, "pilot_power": 2.6}]) == [
        judged | {"power": 2.4}
    ]


@pytest.mark.parametrize("name", names())
def test_every_claim_has_power_on_its_pilot(name: str) -> None:
    """``make pilots NAME=...`` renews what this reads, once default sizes or claims change."""
    module = find(name)
    kept = tomllib.loads(pilots.path(module).read_text(encoding="utf-8"))
    settings = module.Settings.chosen("default", {})
    assert settings.level == LEVEL and kept["settings"] == pilots.sizes(settings)
    assert set(pilots.recorded(module, settings)) <= set(kept["claims"])
    rows = {id.partition("-")[0] if id[0] == "T" else id for id in kept["claims"]}
    assert rows <= set(expected_in(name))  # a scenario's own test asks for every row
    for id, found in kept["claims"].items():
        assert found.get("power", pilots.ENOUGH) >= pilots.ENOUGH, id
        assert found["verdict"] == expected(id) or texts.claim(name, id).unexpected, id
