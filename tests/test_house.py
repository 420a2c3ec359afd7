"""The house rules: floors, the one decorator file, names, sizes; each is shown to fail, too."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
FOLDERS = ("simdl", "scenarios", "tests", "benchmarks", "figures/gallery")
LONGEST = 350
PUBLIC_FUNCTIONS = {"train", "forward", "value_and_grad", "vjp", "load"}
NO_ROOMS = {"utils", "util", "helpers", "helper", "common", "misc"}


def run(*command: str | Path, cwd: Path = ROOT, stdin: str = "") -> subprocess.CompletedProcess:
    """Run a command, its output captured as text."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, input=stdin, capture_output=True, text=True
    )


def python_files(root: Path = ROOT) -> Iterator[Path]:
    """Yield our Python files."""
    for folder in FOLDERS:
        yield from sorted((root / folder).rglob("*.py"))


def written_files() -> Iterator[Path]:
    """Yield every text file that we write, whatever its kind."""
    for pattern in ("*.md", "*.toml", "*.lock", "Makefile", "LICENSE", ".gitignore", ".ci/*"):
        yield from sorted(ROOT.glob(pattern))
    for folder in (*FOLDERS, "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".md", ".toml", ".html", ".json", ".css", ".txt", ".csv"}:
                yield path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the sources in which a rule may be broken."""
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("simdl", "scenarios"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


# --- floors ---------------------------------------------------------------------------------------


def lint_imports(root: Path) -> subprocess.CompletedProcess:
    return run(BIN / "lint-imports", "--no-cache", cwd=root)


def is_broken(contract: str, output: str) -> bool:
    lines = output.splitlines()
    return any(contract in line and line.endswith("BROKEN") for line in lines)


def test_floors_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("simdl/engine/planted.py", "import simdl.sweep", "floors below"),
        ("simdl/kernels/planted.py", "import simdl.engine", "floors below"),
        ("simdl/planted.py", "", "floors below"),  # a module that has no floor
        ("simdl/theory/planted.py", "import simdl.errors", "Theory imports nothing of ours"),
        ("simdl/engine/planted.py", "import simdl.theory", "shares none of its code"),
        ("simdl/kernels/planted.py", "import simdl.errors", "nothing else of ours"),
        ("simdl/plot/planted.py", "import simdl.engine", "Plotting takes arrays"),
        ("simdl/plot/planted.py", "import simdl.sweep", "floors below"),
        ("scenarios/planted.py", "import simdl.engine", "not the engine"),
    ],
)
def test_broken_floor_is_found(copy: Path, file: str, line: str, contract: str) -> None:
    (copy / file).write_text(f'"""Planted."""\n\n{line}\n', encoding="utf-8")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert is_broken(contract, done.stdout), done.stdout


def test_cycle_is_found(copy: Path) -> None:
    (copy / "simdl" / "losses.py").write_text("import simdl.fields\n", encoding="utf-8")
    (copy / "simdl" / "fields.py").write_text("import simdl.losses\n", encoding="utf-8")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert is_broken("neighbours import each other", done.stdout), done.stdout


# --- one decorator file ---------------------------------------------------------------------------


def ruff(source: str, name: str) -> subprocess.CompletedProcess:
    return run(BIN / "ruff", "check", "--no-cache", "--stdin-filename", name, "-", stdin=source)


def test_only_one_file_uses_numbas_decorators() -> None:
    done = run(BIN / "ruff", "check", "--no-cache", "--select", "TID251", "simdl", "scenarios")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "from numba import njit\n\nnjit(abs)\n",
        "from numba import prange\n\nprange(3)\n",
        "import numba\n\nnumba.njit(abs)\n",
        "import numba as nb\n\nnb.jit(abs)\n",
        "from numba.core.decorators import njit\n\nnjit(abs)\n",
        "from numba.extending import intrinsic\n\nintrinsic(abs)\n",
    ],
)
def test_numba_decorator_elsewhere_is_found(line: str) -> None:
    done = ruff(line, "simdl/kernels/planted.py")
    assert done.returncode == 1 and "TID251" in done.stdout
    assert ruff(line, "simdl/_jit.py").returncode == 0


def parallel_calls(source: str) -> list[int]:
    """Return the lines that switch on Numba's own threads."""
    return [
        node.value.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.keyword)
        and node.arg == "parallel"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]


def test_no_parallel_loops() -> None:
    found = {path: parallel_calls(path.read_text(encoding="utf-8")) for path in python_files()}
    assert not {path: lines for path, lines in found.items() if lines}


def test_parallel_loop_is_found() -> None:
    assert parallel_calls("@njit(parallel=True)\ndef f(x): ...\n") == [1]
    assert parallel_calls("f = njit(g, parallel=flag)\n") == [1]
    assert parallel_calls("f = njit(g, parallel=False)\n") == []


# --- names and sizes ------------------------------------------------------------------------------


def test_no_file_is_too_long() -> None:
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in python_files()}
    assert not {path: length for path, length in lengths.items() if length > LONGEST}


def test_every_module_has_a_name_that_says_something() -> None:
    assert not [path for path in python_files() if path.stem in NO_ROOMS]


def test_no_module_bears_the_name_of_a_public_function() -> None:
    """A module ``simdl/train.py``, once imported, would replace the function ``simdl.train``."""
    import simdl

    modules = {path.stem for path in (ROOT / "simdl").iterdir()} - {"__init__", "__pycache__"}
    functions = {name for name in simdl.__all__ if callable(getattr(simdl, name))}
    assert functions >= PUBLIC_FUNCTIONS
    assert not modules & functions


# Written in pieces, so that this file does not match itself. An address on this machine that a
# test needs comes from tmp_path.
MACHINE_PATH = re.compile(
    r"(?<![\w.~}])/(?:wo" r"rk|ro" r"ot|ho" r"me|t" r"mp|o" r"pt|Us" r"ers)/\w"
)


def test_no_path_of_one_machine() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in written_files()
        for match in MACHINE_PATH.finditer(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_path_of_one_machine_is_found() -> None:
    home = str(Path("/") / "home" / "ada" / "simdl")
    assert MACHINE_PATH.search(f'open("{home}")')
    assert not MACHINE_PATH.search("see docs/home/page and ~/.cache/home/x")


def test_lock_names_packages_only() -> None:
    """Version, hashes and markers: no address, no index, no local folder."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    kinds = re.compile(
        r"[a-z0-9._-]+==\S+( ; [^@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|\s*#[^:]*(:.*)?|"
    )
    assert not [line for line in lines if not kinds.fullmatch(line) or "://" in line]


# --- imports and the package ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "import simdl",
        "import simdl; dir(simdl)",
        "import simdl.cli",
        "import simdl.errors",
        "import simdl.theory",
    ],
)
def test_import_leaves_numba_alone(program: str) -> None:
    """Start-up: what needs no compiler must not wait a second for it."""
    check = "; import sys; sys.exit('numba was imported' if 'numba' in sys.modules else 0)"
    done = run(sys.executable, "-c", program + check)
    assert done.returncode == 0, done.stderr


def test_help_leaves_numba_alone() -> None:
    done = run(sys.executable, "-X", "importtime", BIN / "simdl", "--help")
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "simdl.cli" in imported  # the listing works
    assert not imported & {"numba", "scipy", "sklearn", "matplotlib", "xarray", "pandas"}


def packages(root: Path) -> set[str]:
    """Return the packages that lie in the source tree, under their installed names."""
    found = {
        ".".join(path.parent.relative_to(root).parts) for path in root.glob("simdl/**/__init__.py")
    }
    return found | {"simdl._scenarios"}


def test_every_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["tool"]["setuptools"]["packages"]) == packages(ROOT)


def test_wheel_holds_the_sources_and_nothing_else(copy: Path) -> None:
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", copy)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (copy / "dist").glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {
        path.relative_to(ROOT).as_posix()
        for folder in ("simdl", "scenarios")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in {".py", ".toml", ".typed", ".html", ".css", ".js"}
    }
    assert names == {re.sub("^scenarios/", "simdl/_scenarios/", name) for name in ours}
