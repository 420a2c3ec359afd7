"""The texts readers see: one file, keyed by scenario and id, in English and Chinese.

Keys are dotted paths into ``texts.toml``: ``vanishing_gradients.title``, ``.question``,
``.figures.PART`` (the caption of ``NAME-PART.png``), ``.claims.ID.statement``, ``.source`` and,
where a verdict honestly differs from what is expected, ``.unexpected``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from simdl.errors import suggest

LANGUAGES = ("en", "zh")


class MissingText(LookupError):
    """A key, or one of its languages, that the texts' file lacks."""


@dataclass(frozen=True)
class ClaimText:
    """What readers are told of a claim, in one language."""

    statement: str
    source: str
    unexpected: str | None


@cache
def load() -> Mapping[str, Any]:
    """Return the whole file as nested tables, read once a process."""
    with Path(__file__).with_name("texts.toml").open("rb") as file:
        return tomllib.load(file)


def text(key: str, language: str = "en") -> str:
    """Return the text at a dotted key.

    Raises
    ------
    MissingText
        The key is unknown, leads to no text, or lacks the language; the message names it.
    """
    return _said(_at(key), key, language)


def question(key: str, language: str = "en") -> str:
    """Return the question at a key; a user's own scenario may say it in place of a key."""
    return text(key, language) if "." in key and " " not in key else key


def claims(scenario: str) -> list[str]:
    """Return the ids of the claims that the file states for a scenario."""
    return list(load().get(scenario, {}).get("claims", {}))


def caption(scenario: str, part: str, language: str = "en") -> str:
    """Return the caption of a scenario's figure."""
    return text(f"{scenario}.figures.{part}", language)


def claim(scenario: str, id: str, language: str = "en") -> ClaimText:
    """Return statement, source and, where there is one, the reason for an unexpected verdict."""
    key = f"{scenario}.claims.{id}"
    entry = _at(key)
    reason = f"{key}.unexpected"
    return ClaimText(
        text(f"{key}.statement", language),
        text(f"{key}.source", language),
        text(reason, language) if "unexpected" in entry else None,
    )


def problems(table: Mapping[str, Any] | None = None) -> list[str]:
    """Return one line for every text that lacks a language or is blank, and for stray keys."""
    found = []
    for key, entry in _entries(load() if table is None else table):
        for language in LANGUAGES:
            try:
                _said(entry, key, language)
            except MissingText as problem:
                found.append(str(problem))
        stray = sorted(set(entry) - set(LANGUAGES))
        if stray:
            found.append(f"{key}: has texts and, beside them, {', '.join(stray)}")
    return found


def _entries(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables that hold texts: those with no table below them."""
    for name, value in table.items():
        key = f"{path}.{name}" if path else name
        if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
            yield from _entries(value, key)
        else:
            yield key, value if isinstance(value, Mapping) else {"en": value}


def _at(key: str) -> Mapping[str, Any]:
    table: Mapping[str, Any] = load()
    walked = ""
    for name in key.split("."):
        below = table.get(name)
        if not isinstance(below, Mapping):
            place = walked.rstrip(".") or "the texts' file"
            raise MissingText(f"{key}: no text: {place} lacks {name!r}{suggest(name, table)}")
        table, walked = below, f"{walked}{name}."
    return table


def _said(entry: Mapping[str, Any], key: str, language: str) -> str:
    said = entry.get(language)
    if not isinstance(said, str) or not said.strip():
        raise MissingText(f"{key}: no text in {language!r}")
    return said.strip()
