"""Digests follow what a module is made of: helpers beside it, and no more of ours than it uses."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simdl import _sources

Write = Callable[..., dict[str, Path]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Return a function that writes files and returns the closure of one of the modules."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def written(module: str, **files: str) -> dict[str, Path]:
        for name, text in files.items():
            *folders, last = name.split("__")
            file = tmp_path.joinpath(*folders, "__init__.py" if last == "init" else f"{last}.py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        _sources._imported.cache_clear()
        return _sources.closure(module)

    yield written
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_sibling_packages_are_followed(write: Write) -> None:
    found = write(
        "one_script",
        one_script="from one_helpers import f\nimport one_module\n",
        one_helpers__init="from one_helpers.inner import f\n",
        one_helpers__inner="from . import other\ndef f(): ...\n",
        one_helpers__other="",
        one_module="",
    )
    assert set(found) == {
        "one_script", "one_helpers", "one_helpers.inner", "one_helpers.other", "one_module"
    }  # fmt: skip


def test_siblings_of_a_measures_package_are_followed(write: Write) -> None:
    found = write(
        "two_package.measures",
        two_package__init="",
        two_package__measures="import two_helpers.part\ndef m(): return two_helpers.K\n",
        two_helpers__init="K = 1\n",
        two_helpers__part="",
    )
    assert set(found) == {"two_package.measures", "two_helpers", "two_helpers.part"}


def test_a_submodule_is_followed_without_its_package(write: Write) -> None:
    files = {"three__init": "import three.big\nK = 1\n", "three__big": "", "three__small": ""}
    assert set(write("four", four="from three import small\n", **files)) == {"four", "three.small"}
    assert set(write("five", five="from three import K\n")) == {"five", "three", "three.big"}


def test_what_only_type_checkers_see_is_left_out(write: Write) -> None:
    text = "import typing\nif typing.TYPE_CHECKING:\n    import seven\nelse:\n    import eight\n"
    assert set(write("six", six=text, seven="", eight="")) == {"six", "eight"}


@pytest.mark.parametrize(
    "text",
    ["from simdl import njit\n", "import simdl\nf = simdl.njit\n", "import simdl as s\ns.njit\n"],
)
def test_our_lazy_names_lead_to_their_homes(write: Write, text: str) -> None:
    found = write("nine", nine=text)
    assert "simdl._jit" in found and "simdl" not in found and len(found) < 6


def test_a_dotted_name_leads_to_its_module(write: Write) -> None:
    found = write("ten", ten="import simdl\ng = simdl.theory.gaussian.mean\n")
    assert "simdl.theory.gaussian" in found


def test_a_namesake_beside_an_installed_package_is_not_followed(write: Write) -> None:
    found = write("eleven", eleven="import numpy\n", numpy__data__x="")
    assert set(found) == {"eleven"}


def test_digests_of_compiled_modules_are_narrow() -> None:
    loop = set(_sources.closure("simdl.engine.loop"))
    assert {"simdl._jit", "simdl.kernels.philox", "simdl.kernels.mathematics"} <= loop
    assert not {"simdl", "simdl.data", "simdl.configuration", "simdl.training"} & loop
    assert len(loop) < 25
