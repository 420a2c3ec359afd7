"""The command line: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simdl import cli

SCENARIO = '''
"""Does a wider net fit better? Made to be quick."""
from typing import Annotated, Any, ClassVar
from pydantic import Field
import simdl
from simdl import scenario
from simdl.scenario import Claim, judges

QUESTION = "Does a wider network fit better?"

class Settings(scenario.Settings):
    QUICK: ClassVar[dict[str, Any]] = {"seeds": 3}
    steps: Annotated[int, Field(ge=1, description="training steps")] = 30
    margin: Annotated[float, Field(description="margin of the verdict")] = 0.0
    widths: Annotated[tuple[int, int], Field(description="the two widths")] = (2, 16)

def sweeps(settings):
    base = {"network": {"depth": 1}, "training": {"steps": settings.steps}}
    base["optimizer"] = {"lr": 0.01}
    axes = {"network.width": list(settings.widths)}
    return {"width": simdl.Sweep(base, axes, settings.replicates)}

def claims(results, settings):
    loss = results["width"]["train_loss"]
    gain = (loss.isel({"network.width": 0}) - loss.isel({"network.width": 1})).values
    verdict = judges.direction(gain, settings.margin, level=settings.level)
    return [Claim("wide", verdict, expected="holds",
                  statement="The wider network has the lower loss.", source="a test")]

def figures(results, settings):
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    results["width"]["train_loss"].mean("seed").plot(ax=axes)
    return {"width": figure}
'''


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "wider.py"
    path.write_text(SCENARIO, encoding="utf-8")
    return str(path)


def run(*arguments: str) -> int:
    try:
        cli.main([str(a) for a in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main ends the process")


def test_a_users_own_scenario_from_file_to_verdict(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    assert run("run", scenario, "--quick", "--out", out, "--json", "--check") == 0
    said = capsys.readouterr()
    (record,) = json.loads(said.out)
    assert (record["id"], record["verdict"], record["trials"]) == ("wide", "holds", 3)
    assert shlex.split(record["command"]) == ["simdl", "run", scenario, "--quick"]
    assert json.loads((out / "wider.json").read_text(encoding="utf-8")) == [record]
    assert {p.name for p in out.glob("wider.*")} >= {"wider.png", "wider.svg", "wider.pdf"}
    assert "6 trials, 6 new" in said.err
    assert run("run", scenario, "--quick", "--out", out) == 0
    assert "6 trials, 0 new" in capsys.readouterr().err
    assert run("run", scenario, "--quick", "--fresh", "--out", out) == 0
    assert "6 trials, 6 new" in capsys.readouterr().err


def test_settings_make_a_run_of_their_own(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    given = ("--quick", "--out", out, "--seed", "5", "--seeds", "2", "--set", "steps=7")
    assert run("run", scenario, *given, "--set", "widths=[2,8]", "--jobs", "1", "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["trials"] == 2
    words = shlex.split(record["command"])
    wanted = ["--set", "steps=7", "--set", "widths=[2, 8]", "--seed", "5", "--seeds", "2"]
    assert words == ["simdl", "run", scenario, "--quick", *wanted]
    assert run(*words[1:], "--out", out) == 0  # the recorded command runs, and trains nothing
    assert "4 trials, 0 new" in capsys.readouterr().err
    (folder,) = (out / "custom").glob("wider-*")
    assert (folder / "wider.png").is_file() and not (out / "wider.png").exists()


def test_check_fails_on_a_contrary_verdict_after_everything_is_built(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    contrary = ("run", scenario, "--quick", "--out", out, "--set", "margin=50")
    assert run(*contrary) == 0
    assert "NOT AS EXPECTED: wide" in capsys.readouterr().err
    assert run(*contrary, "--check") == 3
    assert list((out / "custom").glob("*/wider.png"))


def test_dry_run_trains_nothing(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    assert run("run", scenario, "--dry-run", "--out", out) == 0
    assert "wider: width: 32 trials, 32 to train" in capsys.readouterr().out
    assert run("run", scenario, "--dry-run", "--quick", "--json", "--out", out) == 0
    assert json.loads(capsys.readouterr().out) == {"wider": {"width": [6, 6]}}
    assert not out.exists()


def test_list_and_explain(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert "vanishing_gradients" in capsys.readouterr().out
    assert run("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"name", "question"} == set(listed[0])
    assert run("explain", "vanishing_gradients") == 0
    said = capsys.readouterr().out
    for part in ("T06b (expected: refuted)", "deep = 20", "seeds = 32", "--quick"):
        assert part in said
    assert run("explain", scenario) == 0
    assert "Does a wider network fit better?" in capsys.readouterr().out


WRONG: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("run", "vanishing_gradient"), ("no such scenario", "did you mean 'vanishing_gradients'")),
    (("run", "nowhere.py"), ("nowhere.py", "no such file")),
    (("run", "SCENARIO", "--set", "stepz=3"), ("stepz", "did you mean 'steps'")),
    (("run", "SCENARIO", "--set", "steps=0"), ("steps", "0", "greater than or equal to 1")),
    (("run", "SCENARIO", "--set", "steps=many"), ("steps", "'many'", "integer")),
    (("run", "SCENARIO", "--set", "steps"), ("--set steps", "KEY=VALUE")),
    (("run", "SCENARIO", "--seeds", "1"), ("seeds", "1", "greater than or equal to 2")),
    (("run", "SCENARIO", "--seed", "-1"), ("seed", "-1", "greater than or equal to 0")),
    (("run", "SCENARIO", "--quick", "--full"), ("--quick and --full", "one of them")),
    (("run", "SCENARIO", "--seeds", "4"), ("16",)),
    (("run", "SCENARIO", "--set", "widths=[0,4]", "--quick"), ("network.width", "0")),
    (("run", "BROKEN"), ("broken.py", "cannot be imported", "SyntaxError")),
    (("run", "LACKING"), ("lacking.py", "lacks", "sweeps")),
    (("run",), ("Missing argument",)),
    (("rnu",), ("No such command", "run")),
    (("run", "SCENARIO", "--quik"), ("No such option", "--quick")),
    (("explain", "softmaxx"), ("no such scenario",)),
]


@pytest.mark.parametrize(("arguments", "parts"), WRONG, ids=lambda v: " ".join(v))
def test_wrong_usage_is_one_clear_message_and_exit_2(
    arguments: tuple[str, ...], parts: tuple[str, ...], scenario: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    broken, lacking = tmp_path / "broken.py", tmp_path / "lacking.py"
    broken.write_text("def f(:\n", encoding="utf-8")
    lacking.write_text("QUESTION = 'Why?'\n", encoding="utf-8")
    files = {"SCENARIO": scenario, "BROKEN": str(broken), "LACKING": str(lacking)}
    assert run(*(files.get(a, a) for a in arguments)) == 2
    said = capsys.readouterr()
    assert not said.out and "Traceback" not in said.err
    for part in parts:
        assert part in said.err


def test_all_wrong_settings_are_told_at_once(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", scenario, "--set", "steps=0", "--set", "margn=1", "--seeds", "0") == 2
    said = capsys.readouterr().err
    assert "steps" in said and "margn" in said and "seeds" in said


def test_an_unwritable_place_is_exit_5(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way", encoding="utf-8")
    assert run("run", scenario, "--quick", "--out", file / "figures") == 5
    said = capsys.readouterr().err
    assert "cannot be written" in said and "Traceback" not in said


def test_failed_trials_are_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SCENARIO.replace(
        "def sweeps(settings):",
        "def fails(settings, seed):\n    raise RuntimeError('planted')\n\ndef sweeps(settings):\n"
        "    return {'width': simdl.Sweep({}, {}, [1, 2], measure=fails)}\n",
    )
    path = tmp_path / "failing.py"
    path.write_text(text, encoding="utf-8")
    assert run("run", path, "--quick", "--out", tmp_path / "figures") == 4
    assert "planted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ('"wide", verdict', '"wide", verdicts', ("wider.py:", "in claims()", "NameError")),
        ("plt.subplots()", "plt.subplot(0)", ("wider.py:", "in figures()")),
        ("    base = {", "    1 / 0\n    base = {", ("in sweeps()", "ZeroDivisionError")),
        ("class Settings", "1 / 0\nclass Settings", ("wider.py:", "cannot be imported")),
    ],
)
def test_a_fault_of_the_users_own_file_is_told_by_its_line(
    before: str, after: str, parts: tuple[str, ...], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "wider.py"
    assert before in SCENARIO
    path.write_text(SCENARIO.replace(before, after), encoding="utf-8")
    assert run("run", path, "--quick", "--out", tmp_path / "figures") == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for part in parts:
        assert part in said


def test_a_scenario_needs_no_texts_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SCENARIO.replace(
        'statement="The wider network has the lower loss.", source="a test"', ""
    )
    path = tmp_path / "silent.py"
    path.write_text(text, encoding="utf-8")
    assert run("run", path, "--quick", "--out", tmp_path / "figures", "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["statement"] == "wide"


@pytest.mark.parametrize("name", ["json", "vanishing_gradients", "numpy"])
def test_a_scenario_may_not_take_another_modules_name(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text(SCENARIO, encoding="utf-8")
    assert run("run", path, "--quick", "--out", tmp_path / "figures") == 2
    assert "choose another" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["widths=[2,8]", "widths=(2,8)", "widths=2,8"])
def test_a_list_may_be_written_as_people_do(
    given: str, scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    assert run("run", scenario, "--dry-run", "--quick", "--out", out, "--set", given) == 0


def test_a_fault_of_ours_is_exit_1(
    scenario: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("simdl.scenario.catalogue.find", broken)
    assert run("explain", scenario) == 1
    assert "a fault of ours" in capsys.readouterr().err


def test_interrupt_is_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "wider.py"
    path.write_text(SCENARIO, encoding="utf-8")
    command = [sys.executable, "-m", "simdl", "run", str(path), "--out", str(tmp_path / "figures")]
    long = [*command, "--set", "steps=20000000", "--jobs", "1"]
    process = subprocess.Popen(long, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    folder = tmp_path / "figures"
    for _ in range(600):
        if list(folder.glob("custom/.cache/*.sqlite")):
            break
        time.sleep(0.1)
    else:
        pytest.fail("no store was made within a minute")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    said = ""
    while "again stops at once" not in said and (line := process.stderr.readline()):
        said += line
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "the same command continues" in said and "Traceback" not in said


def test_a_scenario_is_a_script_too(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "scenarios" / "vanishing_gradients.py"
    done = subprocess.run(
        [sys.executable, script, "--quick", "--dry-run"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "vanishing_gradients: birth: 120 trials, 120 to train" in done.stdout
