"""The documentation's blocks run as they stand, and name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from simdl._sources import closure

PAGES = Path(__file__).resolve().parent.parent / "docs" / "pages"
TUTORIAL = (PAGES / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)


def python(tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorials_session(tmp_path: Path) -> None:
    session, module = BLOCKS[:4], BLOCKS[4]
    (tmp_path / "session.py").write_text("\n".join(session), encoding="utf-8")
    said = python(tmp_path, "session.py")
    assert said.startswith("completed 0.") and "no warnings" in said
    (tmp_path / "my_shapes.py").write_text(module, encoding="utf-8")
    python(tmp_path, "-c", "import my_shapes; my_shapes.net.init(0)")


def test_the_tutorials_scenario(tmp_path: Path) -> None:
    (tmp_path / "wider.py").write_text(BLOCKS[5], encoding="utf-8")
    said = python(tmp_path, "-m", "simdl", "run", "wider.py", "--quick", "--check")
    assert "ok wide" in said
    assert (tmp_path / "figures" / "wider.png").is_file()


@pytest.mark.parametrize("page", ["reference", "kernels"])
def test_what_the_pages_name_is_there(page: str) -> None:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert named
    for name in named:
        module, _, last = name.rpartition(".")
        assert closure(name) or re.search(
            rf"^(class|def) {last}\b", closure(module)[module].read_text("utf-8"), re.MULTILINE
        ), name
