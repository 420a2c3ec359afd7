"""Every text a reader sees exists, in both languages; a missing one fails."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from simdl.scenario import claims, texts

SCENARIOS = Path(__file__).parent.parent / "scenarios"
CLAIM = re.compile(r"T\d\d[a-z]?(-\w+)?|P-[a-z][a-z-]*")


def missing(name: str, source: str) -> list[str]:
    """Return one line for every text that a scenario's source names or needs and that is missing.

    Read from the source, not from a run: string constants that look like claims' ids, the
    question's key, and the keys of dictionaries that `figures` returns.
    """
    tree = ast.parse(source)
    constants = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    keys = [f"{name}.title", f"{name}.question"]
    for constant in sorted(filter(CLAIM.fullmatch, constants)):
        claims.expected(constant)
        keys += [f"{name}.claims.{constant}.{part}" for part in ("statement", "source")]
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="QUESTION")], value=ast.Constant(value=key)):
                keys.append(key)
            case ast.FunctionDef(name="figures"):
                keys += [f"{name}.figures.{part}" for part in _returned_keys(node)]
    problems = []
    for key in keys:
        for language in texts.LANGUAGES:
            try:
                texts.text(key, language)
            except texts.MissingText as problem:
                problems.append(str(problem))
    return problems


def _returned_keys(function: ast.FunctionDef) -> list[str]:
    return [
        key.value
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    ]


def test_every_scenario_has_its_texts():
    for path in sorted(SCENARIOS.glob("[!_]*.py")):
        assert missing(path.stem, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        ("x = Claim('T03-elsewhere', 1)", "T03-elsewhere"),
        ("x = Claim('T30b', 1)", "T30b"),
        ("QUESTION = 'vanishing_gradients.quest'", "quest"),
        ("def figures(r, s):\n    return {'depth': 1, 'breadth': 2}", "breadth"),
    ],
)
def test_a_missing_text_is_found(source, lacks):
    found = missing("vanishing_gradients", source)
    assert found
    assert all(lacks in line for line in found)
    assert missing("vanishing_gradients", "QUESTION = 'vanishing_gradients.question'") == []
    assert len(missing("nowhere", "")) == 4


def test_both_languages_are_complete():
    assert texts.problems() == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"a": {"title": {"en": "x"}}}, "a.title: no text in 'zh'"),
        ({"a": {"title": {"zh": "x"}}}, "a.title: no text in 'en'"),
        ({"a": {"title": {"en": "x", "zh": " "}}}, "a.title: no text in 'zh'"),
        ({"a": {"title": {"en": "x", "zh": 3}}}, "a.title: no text in 'zh'"),
        ({"a": {"title": "x"}}, "a: no text in 'en'"),
        ({"a": {"title": {"en": "x", "zh": "x", "cn": "x"}}}, "a.title: has texts and"),
    ],
)
def test_an_incomplete_table_is_found(table, said):
    assert any(line.startswith(said) for line in texts.problems(table))


@pytest.mark.parametrize("scenario", texts.load())
def test_entries_have_what_a_page_needs(scenario):
    entry = texts.load()[scenario]
    assert set(entry) == {"title", "question", "figures", "claims"}
    for key, said in texts._entries(entry, scenario):
        assert re.search("[\u4e00-\u9fff]", said["zh"]), f"{key}: zh is not Chinese"
        assert not re.search("[\u3000-\u9fff\uff00-\uffef]", said["en"]), f"{key}: en is Chinese"
        assert not re.search("[\u4e00-\u9fff][,:;?()]", said["zh"]), f"{key}: punctuation"
    for id, parts in entry["claims"].items():
        assert {"statement", "source"} <= set(parts) <= {"statement", "source", "unexpected"}
        row = id if id in claims._EXPECTED else id.split("-")[0]
        assert row in claims.expected_in(scenario), f"{id} belongs to another scenario"
    assert all(texts.caption(scenario, part) for part in entry["figures"])


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("vanishing_gradient.title", "did you mean 'vanishing_gradients'"),
        ("vanishing_gradients.titel", "did you mean 'title'"),
        (
            "vanishing_gradients.claims.T03-factor.sauce",
            "vanishing_gradients.claims.T03-factor lacks",
        ),
        ("vanishing_gradients.claims", "no text in 'en'"),
        ("vanishing_gradients.title.en", "lacks 'en'"),
        ("", "lacks ''"),
    ],
)
def test_a_missing_key_says_which(key, said):
    with pytest.raises(texts.MissingText, match=re.escape(said)):
        texts.text(key)


def test_an_unknown_language():
    with pytest.raises(texts.MissingText, match="no text in 'de'"):
        texts.text("vanishing_gradients.title", "de")


def test_texts_are_joined_and_stripped():
    said = texts.caption("vanishing_gradients", "initialization")
    assert "\n" not in said
    assert said == said.strip()
    assert texts.claim("vanishing_gradients", "T06b").unexpected is None
