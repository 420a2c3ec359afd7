"""The installed package, far from its sources: commands, scenarios, odd folders, foreign users."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import simdl

SITE = Path(sysconfig.get_paths()["purelib"])
SIMDL = Path(sys.executable).with_name("simdl")
COMMANDS = {"command": (str(SIMDL),), "module": (sys.executable, "-m", "simdl")}
NOBODY = 65534


def simdl_runs(
    folder: Path, *words: object, command: tuple[str, ...] = COMMANDS["command"], **options: Any
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False,
        encoding="utf-8", **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder whose path no shell likes."""
    folder = tmp_path / "zwei Wörter 数据 'x'"
    folder.mkdir()
    return folder


def test_it_is_the_installed_one() -> None:
    assert Path(simdl.__file__).is_relative_to(SITE)
    assert not list(SITE.glob("scenarios*")) and (SITE / "simdl" / "_scenarios").is_dir()


@pytest.mark.parametrize("name", COMMANDS)
def test_lists_every_scenario(name: str, odd: Path) -> None:
    said = simdl_runs(odd, "list", "--json", command=COMMANDS[name]).stdout
    names = {path.stem for path in (SITE / "simdl" / "_scenarios").glob("[a-z]*.py")}
    assert {entry["name"] for entry in json.loads(said)} == names and len(names) == 22


def test_runs_a_scenario_and_reports_into_the_current_folder(odd: Path) -> None:
    environment = os.environ | {"LANG": "C", "LC_ALL": "C"}
    simdl_runs(odd, "run", "softmax", "--quick", "--check", env=environment)
    assert list(odd.glob("figures/softmax*.png"))
    verdicts = (odd / "figures" / "softmax.json").read_text(encoding="utf-8")
    (odd / "figures" / "verdicts.json").write_text(verdicts, encoding="utf-8")
    (odd / "figures" / "textbook.json").write_text("[]", encoding="utf-8")
    said = simdl_runs(odd, "report", env=environment).stdout.strip()
    assert (odd / said).is_file() and (odd / "figures" / "pages" / "style.css").is_file()


def test_trains_and_predicts_beside_odd_names(odd: Path) -> None:
    rows = [f"{i % 7},{'rot' if i % 3 else 'grün'},{'狐' if i % 2 else 'Eule'}" for i in range(80)]
    lines = "\n".join(["grösse,farbe,art", *rows])
    (odd / "tiere é.csv").write_text(lines, encoding="utf-8")
    given = ("--data", "tiere é.csv", "--target", "art", "--set", "training.epochs=1")
    simdl_runs(odd, "train", *given, "--out", "lauf 1")
    said = simdl_runs(odd, "predict", "lauf 1", "--data", "tiere é.csv").stdout
    assert len(said.splitlines()) == 81 and "probability_狐" in said.splitlines()[0]


def test_completion_is_there(odd: Path) -> None:
    asked = {"_SIMDL_COMPLETE": "complete_bash", "COMP_WORDS": "simdl pre", "COMP_CWORD": "1"}
    assert simdl_runs(odd, env=os.environ | asked).stdout.split() == ["predict"]


def closed_to_others(*folders: str) -> list[str]:
    """Of these folders and those above them, the ones that others may not enter."""
    every = {above for name in folders for above in (Path(name), *Path(name).parents)}
    return [str(folder) for folder in sorted(every) if not folder.stat().st_mode & 0o001]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="root becomes somebody else")
@pytest.mark.parametrize("home", ["own", "none"])
def test_somebody_who_may_write_nowhere_but_at_home(home: str) -> None:
    """Site-packages are not theirs; without a home nothing is kept, and it works all the same."""
    if closed := closed_to_others(sys.prefix, sys.base_prefix):
        pytest.skip(f"not for others: {', '.join(closed)}")
    folder = Path("/tmp", f"simdl-home-{os.getpid()}")
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    given = {"PATH": os.environ["PATH"], "HOME": str(folder) if home == "own" else "/nonexistent"}
    try:
        said = simdl_runs(
            Path("/"), "train", "--data", "digits", "--set", "training.epochs=1",
            command=COMMANDS["module"], env=given, user=NOBODY, group=NOBODY,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert "test accuracy" in said.stdout and "Traceback" not in said.stderr
