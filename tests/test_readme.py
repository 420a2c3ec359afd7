"""The README's blocks run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_sweep_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, measurement = [text for kind, text in BLOCKS if kind == "toml"]
    path = tmp_path / "sweep.toml"
    path.write_text(training, encoding="utf-8")
    assert len(Sweep.from_toml(path).trials) == 3 * 2 * 16
    monkeypatch.syspath_prepend(tmp_path)
    code = "def measure(settings, seed):\n    return {'v': settings['width'] + settings['depth']}\n"
    (tmp_path / "my_module.py").write_text(code, encoding="utf-8")
    path.write_text(measurement, encoding="utf-8")
    made = Sweep.from_toml(path)
    assert len(made.trials) == 3 * 100 and made.cells[0].table == {"width": 64, "depth": 2}


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = command.split()
    if words[0] == "run":  # the same checks of every word, without the minutes
        words.append("--dry-run")
    with pytest.raises(SystemExit) as end:
        main(words)
    assert not end.value.code
