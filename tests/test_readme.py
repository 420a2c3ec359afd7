"""The README's blocks run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import simdl
from simdl.cli import main
from simdl.sweep import Sweep

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
COMMANDS = re.findall(r"^\.venv/bin/simdl (.*?)(?:\s+#.*)?$", README, re.MULTILINE)


def test_there_is_something_to_run() -> None:
    assert len(PYTHON) >= 2 and len(COMMANDS) >= 4


@pytest.mark.parametrize("text", PYTHON, ids=range(len(PYTHON)))
def test_python_block(text: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True)


def toml(key: str) -> str:
    """The one block of TOML that has a key."""
    (text,) = [text for kind, text in BLOCKS if kind == "toml" and f"\n{key}" in text]
    return text


def test_sweep_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(toml("seeds = 16"), encoding="utf-8")
    assert len(Sweep.from_toml(path).trials) == 3 * 2 * 16
    monkeypatch.syspath_prepend(tmp_path)
    code = "def measure(settings, seed):\n    return {'v': settings['width'] + settings['depth']}\n"
    (tmp_path / "my_module.py").write_text(code, encoding="utf-8")
    path.write_text(toml("[measurement]"), encoding="utf-8")
    made = Sweep.from_toml(path)
    assert len(made.trials) == 3 * 100 and made.cells[0].table == {"width": 64, "depth": 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README speaks of, the sweep and the network made short."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{'red' if i % 3 else 'blue'},{'fox' if i % 2 else 'owl'}" for i in range(60)]
    (tmp_path / "my.csv").write_text("\n".join(["size,colour,kind", *rows]), encoding="utf-8")
    (tmp_path / "new.csv").write_text("size,colour\n3,red\n1,blue\n", encoding="utf-8")
    short = re.sub(r"(seeds|epochs) = \d+", r"\1 = 1", toml("seeds = 16"))
    (tmp_path / "sweep.toml").write_text(short, encoding="utf-8")
    layers = re.sub(r"epochs = \d+", "epochs = 1", toml("[[network.layers]]"))
    (tmp_path / "convolution.toml").write_text(layers, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("first", ["train --data my.csv", "sweep sweep.toml --dry-run"])
def test_commands_of_one_block_run_one_after_the_other(
    first: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [text for _, text in BLOCKS if f"\nsimdl {first}" in f"\n{text}"]
    lines = re.findall(r"^simdl (.*?)(?:\s+#.*)?$", block, re.MULTILINE)
    assert len(lines) >= 2
    for line in lines:
        short = ["--set", "training.epochs=1"] if line.startswith("train") else []
        assert run([*line.split(), *short]) == 0, line
        said = capsys.readouterr().out
    assert len(said.splitlines()) == (3 if "train" in first else 1 + 3 * 2)  # with the header


def test_layers_in_a_file(folder: Path) -> None:
    assert run(["train", "convolution.toml", "--out", "run"]) == 0
    kinds = [type(layer).__name__ for layer in simdl.load("run").training.net.layers]
    assert kinds == ["Conv2D", "ReLU", "Flatten", "Dense"]


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = command.split()
    if words[0] == "run":  # the same checks of every word, without the minutes
        words.append("--dry-run")
    assert run(words) == 0
