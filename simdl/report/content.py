"""What the pages show: a run's records and figures beside the scenarios' texts."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from simdl.errors import InputError
from simdl.report.scale import drawing, short
from simdl.scenario import texts
from simdl.scenario.catalogue import find, names
from simdl.scenario.claims import contrary
from simdl.scenario.explaining import explanation

FORMATS = ("svg", "png", "pdf")
Both = dict[str, str]


@cache
def words() -> Mapping[str, Both]:
    """What the pages say beside the scenarios' own texts: key -> language -> text."""
    with Path(__file__).with_name("words.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def settings_in_chinese() -> Mapping[str, str]:
    """What the scenarios say of their settings, as it stands in their code -> in Chinese."""
    with Path(__file__).with_name("settings.toml").open("rb") as file:
        return tomllib.load(file)


def both(key: str) -> Both:
    """A text of the scenarios in every language."""
    return {language: texts.text(key, language) for language in texts.LANGUAGES}


def read(out: Path, name: str) -> list[dict[str, Any]]:
    """Return the entries of a file that `simdl figures` writes.

    Raises
    ------
    InputError
        If it is not there or damaged.
    """
    path = out / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: run simdl figures --out {out} first") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}): run simdl figures again") from None
    return list(found)


def verdict(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as the tables show it."""
    told = texts.claim(record["scenario"], record["id"])
    low, high = record["interval"]
    as_expected = record["verdict"] == record["expected"]
    quick = " --quick" in record["command"]
    return dict(record) | {
        "statement": both(f"{record['scenario']}.claims.{record['id']}.statement"),
        "source": both(f"{record['scenario']}.claims.{record['id']}.source"),
        "reason": both(f"{record['scenario']}.claims.{record['id']}.unexpected")
        if told.unexpected is not None else None,
        "measured": short(record["measured"]),
        "interval": f"[{short(low)}, {short(high)}]",
        "reference": short(record["reference"]),
        "tolerance": short(record["tolerance"]) if record["tolerance"] else "",
        "drawing": drawing(record),
        "mark": "as-expected" if as_expected else "contrary" if contrary(record, quick) else "open",
    }  # fmt: skip


def scenario(out: Path, name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """What a scenario's page shows."""
    captions = texts.load()[name]["figures"]
    figures = []
    for part in captions:
        stem = name if len(captions) == 1 else f"{name}-{part}"
        if (out / f"{stem}.svg").is_file():
            figures.append({
                "stem": stem, "caption": both(f"{name}.figures.{part}"),
                "formats": [kind for kind in FORMATS if (out / f"{stem}.{kind}").is_file()],
            })  # fmt: skip
    own = [verdict(record) for record in records if record["scenario"] == name]
    told = explanation(name)
    kind = find(name).Settings
    command = own[0]["command"] if own else f"simdl run {name}"
    replicates = kind.model_fields["seeds"].default
    if command.endswith(" --quick"):
        replicates = kind.QUICK.get("seeds", replicates)
    return {
        "name": name, "title": both(f"{name}.title"), "question": both(f"{name}.question"),
        "figures": figures, "verdicts": own,
        "right": sum(v["mark"] == "as-expected" for v in own),
        "settings": [_setting(s) for s in told["settings"]],
        "command": command,
        "seconds": own[0]["seconds"] if own else 0.0,
        "seed": kind.model_fields["seed"].default, "replicates": replicates,
    }  # fmt: skip


def _setting(told: Mapping[str, Any]) -> dict[str, Any]:
    """A setting as the table shows it, and in both languages what it is."""
    said = told["description"]
    meaning = {"en": said, "zh": settings_in_chinese().get(said, said)}
    return {key: _plain(value) for key, value in told.items()} | {"meaning": meaning}


def _plain(value: Any) -> Any:
    """A setting as it would be typed."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(str(v) for v in value) + "]"
    return value


def mistakes(out: Path) -> list[dict[str, Any]]:
    """What the textbook gets wrong, each with its figure if that is there."""
    made = []
    for entry in read(out, "textbook.json"):
        stem = entry["figure"]
        if not (out / f"{stem}.svg").is_file():  # a scenario's only figure bears its name alone
            stem = entry["scenario"] if (out / f"{entry['scenario']}.svg").is_file() else ""
        parts = [dict(part) | {"drawing": drawing(part)} for part in entry["parts"]]
        made.append(entry | {"figure": stem, "parts": parts})
    return made


def everything(out: Path) -> dict[str, Any]:
    """All that the pages show.

    Parameters
    ----------
    out : the folder of `simdl figures`
    """
    records = read(out, "verdicts.json")
    known = {record["scenario"] for record in records}
    scenarios = [scenario(out, name, records) for name in names() if name in known]
    return {
        "scenarios": scenarios,
        "mistakes": mistakes(out),
        "verdicts": [v for one in scenarios for v in one["verdicts"]],
        "right": sum(one["right"] for one in scenarios),
        "seconds": sum(one["seconds"] for one in scenarios),
        "words": words(),
    }
