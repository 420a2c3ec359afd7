"""The report: complete in both languages, every link resolves, verdicts drawn to scale."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from own_tables import Capture, run

from simdl.errors import InputError
from simdl.report import build
from simdl.report.content import settings_in_chinese, words
from simdl.report.scale import HEIGHT, MARGIN, WIDTH, drawing
from simdl.report.site import marked, said
from simdl.scenario import texts
from simdl.scenario.catalogue import find, names
from simdl.scenario.corrections import load as corrections
from simdl.scenario.runner import Request, Run, assemble

NAMES = ("softmax", "input_normalization")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick run of two scenarios, and their report."""
    folder = tmp_path_factory.mktemp("report")
    for name in NAMES:
        Run(name, Request("quick", {}, folder)).execute()
    assemble(folder, NAMES)
    assert build(folder) == folder / "index.html"
    return folder


class Page(HTMLParser):
    """What a page holds: ids, links, texts by language, headings, pictures' labels."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.spoken: dict[str, list[str]] = {"en": [], "zh": []}
        self.headings: list[int] = []
        self.unlabelled: list[str] = []
        self._open: list[str | None] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            assert given["id"] not in self.ids, f"{given['id']} stands twice"
            self.ids.add(str(given["id"]))
        self.links += [str(v) for k, v in attrs if k in ("href", "src", "data")]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if (tag == "img" and given.get("alt") is None) or (
            tag == "object" and not (given.get("data-label-en") and given.get("data-label-zh"))
        ):
            self.unlabelled.append(str(attrs))
        if tag == "span":
            self._open.append(given.get("lang"))
            if given.get("lang"):
                self.spoken[str(given["lang"])].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        languages = [language for language in self._open if language]
        if languages:
            self.spoken[languages[-1]][-1] += data


def pages(out: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in [out / "index.html", *(out / "pages").glob("*.html")]}


def test_every_link_resolves_and_none_leaves(out: Path) -> None:
    found = pages(out)
    assert {p.stem for p in found} == {"index", "wrong", "claims", "made", *NAMES}
    for path, page in found.items():
        for link in page.links:
            if link == "data:,":
                continue
            assert not re.match(r"[a-z]+:|//", link), link
            where, _, anchor = link.partition("#")
            target = (path.parent / where).resolve() if where else path
            assert target.is_file() and target.is_relative_to(out), link
            if anchor:
                assert anchor in found[target].ids, link


def test_both_languages_say_everything(out: Path) -> None:
    for page in pages(out).values():
        english, chinese = page.spoken["en"], page.spoken["zh"]
        assert len(english) == len(chinese) > 5
        assert all(text.strip() for text in english + chinese)
        assert not page.unlabelled
        assert page.headings[0] == 1 and 1 not in page.headings[1:]
        assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert all(set(word) == set(texts.LANGUAGES) for word in words().values())


def test_every_setting_is_said_in_chinese() -> None:
    said = {
        field.description for name in names() for field in find(name).Settings.model_fields.values()
    }
    assert set(settings_in_chinese()) == said


def test_every_claim_and_figure_is_there(out: Path) -> None:
    records = json.loads((out / "verdicts.json").read_text(encoding="utf-8"))
    found = {path.stem: page for path, page in pages(out).items()}
    for record in records:
        assert record["id"] in found["claims"].ids and record["id"] in found[record["scenario"]].ids
        text = (out / "pages" / f"{record['scenario']}.html").read_text(encoding="utf-8")
        assert record["command"] in text
    for name in NAMES:
        drawn = {f"../{path.name}" for path in out.glob(f"{name}*.svg")}
        assert drawn and drawn <= set(found[name].links)
    refuted = [c for c in corrections() if any(r["id"].partition("-")[0] == c for r in records)]
    assert set(refuted) <= found["wrong"].ids


def test_marks_say_their_values(out: Path) -> None:
    """A title in each mark: what stands at its place on the axes."""
    titles = [
        title
        for path in out.glob("*.svg")
        for title in re.findall(r"<use [^>]*><title>([^<]*)</title></use>", path.read_text("utf-8"))
    ]
    assert len(titles) > 20
    assert all(re.search(r"[\w.-]+, [\w.-]+$", title) for title in titles)


RECORD: dict[str, Any] = {
    "measured": 2.0, "interval": [1.0, 4.0], "reference": 3.0, "band": None, "tolerance": None,
}  # fmt: skip


def numbers(svg: str, element: str, *names: str) -> list[float]:
    (tag,) = re.findall(rf"<{element}[^>]*>", svg)
    return [float(re.search(rf'{name}="([^"]*)"', tag)[1]) for name in names]  # type: ignore[index]


def test_verdicts_are_to_scale() -> None:
    svg = drawing(RECORD)
    room = WIDTH - 2 * MARGIN
    assert numbers(svg, "circle", "cx") == [pytest.approx(MARGIN + room / 3, abs=0.06)]
    assert numbers(svg, 'line class="reference"', "x1", "y2") == [
        pytest.approx(MARGIN + room * 2 / 3, abs=0.06), HEIGHT - 1,
    ]  # fmt: skip
    left, width = numbers(svg, 'rect class="interval"', "x", "width")
    assert (left, width) == (pytest.approx(MARGIN, abs=0.06), pytest.approx(room, abs=0.06))
    banded = drawing(RECORD | {"band": [2.5, 3.5]})
    left, width = numbers(banded, 'rect class="tolerance"', "x", "width")
    assert width == pytest.approx(room / 3, abs=0.11)
    assert left == pytest.approx(MARGIN + room / 2, abs=0.06)


def test_wide_ranges_are_logarithmic_and_what_is_no_number_is_not_drawn() -> None:
    svg = drawing(RECORD | {"interval": [1e-6, 1.0], "measured": 1e-3, "reference": 1e-6})
    assert numbers(svg, "circle", "cx") == [pytest.approx(WIDTH / 2, abs=0.06)]
    assert drawing(RECORD | {"reference": None}) == ""
    assert drawing(RECORD | {"measured": float("nan")}) == ""
    same = drawing(RECORD | {"interval": [3.0, 3.0], "measured": 3.0})
    assert numbers(same, "circle", "cx") == [pytest.approx(WIDTH / 2, abs=0.06)]


def test_texts_are_escaped() -> None:
    assert marked("a < b & `--set <x>`") == "a &lt; b &amp; <code>--set &lt;x&gt;</code>"
    assert said({"en": "<i>", "zh": "甲"}) == (
        '<span lang="en">&lt;i&gt;</span><span lang="zh">甲</span>'
    )


def test_from_the_command_line(out: Path, tmp_path: Path, capsys: Capture) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*.html")}
    assert run("report", "--out", out) == 0
    assert capsys.readouterr().out.strip() == str(out / "index.html")
    assert {path: path.read_bytes() for path in out.rglob("*.html")} == before
    assert run("report", "--out", tmp_path) == 2
    assert f"run simdl figures --out {tmp_path} first" in capsys.readouterr().err
    (tmp_path / "verdicts.json").write_text("[", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        build(tmp_path)
