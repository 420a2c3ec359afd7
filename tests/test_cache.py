"""Machine code on disk: nothing compiles twice, nothing stale runs, no place breaks it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from processes import ROOT, finish, run, start

TRAIN = """
import json
import numpy as np, simdl
from simdl import _cache, layers as L
rng = np.random.default_rng(0)
shape, classes = {shape}, {classes}
data = simdl.Data(train=(rng.normal(size=(20, *shape)), rng.integers(0, classes, 20)))
net = simdl.Network(shape, [{layers}], dtype="{dtype}", init="{init}")
simdl.train(net, data, optimizer="{optimizer}", loss="{loss}", batch_size=6, epochs=1)
print(json.dumps([_cache.compiled, _cache.loaded]))
"""
FIRST = TRAIN.format(
    shape=(4,), classes=3, dtype="float32", init="he_normal", optimizer="Adam",
    loss="softmax_cross_entropy",
    layers="L.Dense(5), L.Tanh(), L.Residual([L.Dense(5), L.ReLU()]), L.Dense(3)",
)  # fmt: skip
OTHER = TRAIN.format(  # deeper, wider, another input, layers in another order and nesting
    shape=(3, 2), classes=4, dtype="float32", init="he_normal", optimizer="Adam",
    loss="softmax_cross_entropy",
    layers="L.Flatten(), L.Residual([L.Dense(6), L.ReLU(), L.Residual([L.Dense(6), L.Tanh()])]), "
    "L.Dense(70), L.Tanh(), L.Dense(9), L.ReLU(), L.Dense(4)",
)  # fmt: skip

# A few small kernels, which a cold cache compiles in seconds: one calls another module's.
SMALL = """
import json
import numpy as np
from simdl import _cache
from simdl.kernels import activations, statistics
x = np.linspace(-2, 2, 9)
y = np.empty_like(x)
activations.sigmoid_forward(y, x, 0.0)
rms = statistics.root_mean_square(x)
print(json.dumps([_cache.compiled, _cache.loaded, y.tolist(), rms]))
"""


@pytest.fixture
def cold(tmp_path: Path) -> Path:
    """Return an empty place for compiled code."""
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    """Return a place that was empty when SMALL ran there, and what it said."""
    place = tmp_path_factory.mktemp("first") / "cache"
    return place, run(SMALL, NUMBA_CACHE_DIR=place)


@pytest.fixture
def said(first: tuple[Path, list], cold: Path) -> list:
    """Return what SMALL said on first running; `cold` is a copy of where it ran."""
    place, said = first
    shutil.copytree(place, cold)
    return said


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package."""
    shutil.copytree(
        ROOT / "simdl", tmp_path / "copy" / "simdl", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path / "copy"


def files(folder: Path) -> list[Path]:
    return sorted((folder / "simdl").glob("*.bin"))


def test_warm_cache_compiles_nothing_not_even_for_another_architecture() -> None:
    run(FIRST)  # warms the cache, if it is not
    for program in (FIRST, OTHER):
        compiled, loaded = run(program)
        assert compiled == []
        assert any(name.startswith("simdl.engine.loop.train") for name in loaded)


def test_counting_sees_what_compiles(cold: Path, said: list) -> None:
    compiled, loaded, *first = said
    assert any("sigmoid" in name for name in compiled) and loaded == []
    assert files(cold)
    compiled, loaded, *second = run(SMALL, NUMBA_CACHE_DIR=cold)
    assert compiled == [] and any("sigmoid" in name for name in loaded)
    assert first == second


def test_an_edit_in_another_module_is_noticed(cold: Path, package: Path) -> None:
    """The kernel calls another module: Numba's own cache would go on with the old code."""
    _, _, before, rms = run(SMALL, root=package, NUMBA_CACHE_DIR=cold)
    source = package / "simdl" / "kernels" / "mathematics.py"
    text = source.read_text(encoding="utf-8")
    name = "def sigmoid("
    assert text.count(name) == 1
    planted = "\n\n@njit\ndef sigmoid(x):\n    return x * 0 + 7\n"
    source.write_text(text.replace(name, "def _old_sigmoid(") + planted, encoding="utf-8")
    compiled, _, after, same_rms = run(SMALL, root=package, NUMBA_CACHE_DIR=cold)
    assert after == [7.0] * 9 != before
    assert any("activations" in name for name in compiled)
    assert same_rms == rms


def test_an_edit_back_needs_no_compilation(cold: Path, package: Path) -> None:
    first = run(SMALL, root=package, NUMBA_CACHE_DIR=cold)
    source = package / "simdl" / "kernels" / "activations.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text + "\n# an edit\n", encoding="utf-8")
    assert run(SMALL, root=package, NUMBA_CACHE_DIR=cold)[0] != []
    source.write_text(text, encoding="utf-8")
    compiled, _, *values = run(SMALL, root=package, NUMBA_CACHE_DIR=cold)
    assert compiled == [] and values == first[2:]


def test_two_processes_with_cold_caches_at_once(cold: Path) -> None:
    processes = [start(SMALL, NUMBA_CACHE_DIR=cold) for _ in range(2)]
    first, second = (finish(process) for process in processes)
    assert first[2:] == second[2:]
    compiled, _, *values = run(SMALL, NUMBA_CACHE_DIR=cold)
    assert compiled == [] and values == first[2:]
    assert all(file.suffix == ".bin" for file in (cold / "simdl").iterdir())  # no half-written


def test_unwritable_place(tmp_path: Path) -> None:
    """A path below a regular file: root could write where permissions forbid it."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    compiled, loaded, values, _ = run(SMALL, NUMBA_CACHE_DIR=tmp_path / "file" / "below")
    assert compiled and loaded == [] and values[4] == 0.5
    assert (tmp_path / "file").read_text(encoding="utf-8") == ""


def test_bounds_checks_and_plain_code_do_not_mix(cold: Path, said: list) -> None:
    count = len(files(cold))
    checked = run(SMALL, NUMBA_CACHE_DIR=cold, NUMBA_BOUNDSCHECK="1")
    assert checked[0] and checked[1] == []
    assert checked[2:] == said[2:]
    assert len(files(cold)) == 2 * count
    assert run(SMALL, NUMBA_CACHE_DIR=cold)[0] == []
    assert run(SMALL, NUMBA_CACHE_DIR=cold, NUMBA_BOUNDSCHECK="1")[0] == []


def damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "cut":
        del content[len(content) // 2 :]
    elif how == "empty":
        content.clear()
    elif how == "foreign":
        content[:] = b"no machine code"
    else:
        content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_damaged_files_are_compiled_again(cold: Path, said: list) -> None:
    damaged = files(cold)
    for i, file in enumerate(damaged):
        damage(file, ("cut", "empty", "foreign", "one bit")[i % 4])
    compiled, _, *values = run(SMALL, NUMBA_CACHE_DIR=cold)
    assert compiled and values == said[2:]
    again = run(SMALL, NUMBA_CACHE_DIR=cold)
    assert again[0] == [] and again[2:] == said[2:]


TWINS = """
from simdl import njit
@njit
def twin(x):
    return x + 1
one = twin
@njit
def twin(x):
    return x + 2
"""


def test_two_functions_of_one_name(cold: Path, tmp_path: Path) -> None:
    (tmp_path / "twins.py").write_text(TWINS, encoding="utf-8")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import json\nfrom simdl import _cache\nfrom twins import one, twin\n"
        "print(json.dumps([one(1), twin(1), len(_cache.compiled)]))"
    )
    assert run(program, NUMBA_CACHE_DIR=cold) == [2, 3, 2]
    assert run(program, NUMBA_CACHE_DIR=cold) == [2, 3, 0]


SCALED = """
import os
import numpy as np
from simdl import njit
import scaled_more
from scaled_more import twice
K = float(os.environ["K"])
@njit
def own(x):
    return x * K
@njit
def through(x):
    return twice(x)
@njit
def attribute(x):
    return x * scaled_more.INNER
@njit
def table(x):
    return x * scaled_more.TABLE[0]
@njit
def around(x):
    return through(x) if x < 100 else later(x)
@njit
def later(x):
    return x * LATER
LATER = np.float32(os.environ["K"])
"""
SCALED_MORE = """
import os
import numpy as np
from simdl import njit
INNER = int(os.environ["K"])
TABLE = np.array([int(os.environ["K"])])
@njit
def twice(x):
    return x * INNER
"""


NAMES = ("own", "through", "attribute", "table", "around", "later")


def test_values_of_globals_are_in_the_key(cold: Path, tmp_path: Path) -> None:
    """They are constants in the machine code; no source tells that they changed."""
    (tmp_path / "scaled.py").write_text(SCALED, encoding="utf-8")
    (tmp_path / "scaled_more.py").write_text(SCALED_MORE, encoding="utf-8")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import json, scaled\nfrom simdl import _cache\n"
        f"values = [float(getattr(scaled, name)(1)) for name in {NAMES}]\n"
        "compiled = [name.partition('(')[0].rpartition('.')[2] for name in _cache.compiled]\n"
        "print(json.dumps([values, sorted(compiled)]))"
    )
    every = sorted([*NAMES, "twice"])
    said = [run(program, NUMBA_CACHE_DIR=cold, K=k) for k in "2323"]
    two, three = [[float(k)] * len(NAMES) for k in (2, 3)]
    assert said == [[two, every], [three, every], [two, []], [three, []]]


def test_code_from_exec_is_not_kept(cold: Path, tmp_path: Path) -> None:
    """Its module has a source file, which says nothing of it."""
    text = (
        "import os\nfrom simdl import njit\nhere = {'njit': njit, '__name__': __name__}\n"
        "exec('@njit\\ndef made(x):\\n    return x + ' + os.environ['K'], here)\n"
        "made = here['made']\n@njit\ndef caller(x):\n    return made(x)\n"
    )
    (tmp_path / "executed.py").write_text(text, encoding="utf-8")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import json\nfrom executed import made, caller\nprint(json.dumps([made(1), caller(1)]))"
    )
    assert [run(program, NUMBA_CACHE_DIR=cold, K=k) for k in "23"] == [[3, 3], [4, 4]]
    assert not [file for file in files(cold) if ".made-" in file.name]
