"""Power on pilot seeds: whether a scenario has replicates enough, told by seeds that judge nothing.

``simdl run NAME --pilot`` runs a scenario at its size on `SEED`, a base seed kept for this. A
claim's power is its estimate's distance from the margin, or from the nearer edge of the tolerance,
in half-widths of the interval. ``make pilots`` keeps what is found as ``NAME.pilot.toml`` beside
the scenario; later runs at the same settings show it next to their own.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from simdl.scenario.settings import Settings

SEED = 10**9  # base seed of pilots: far from those that people type
ENOUGH = 2.5  # half-widths: then a verdict flips on fresh seeds about once in a million


def path(module: ModuleType) -> Path:
    """Where a scenario's pilot is kept."""
    return Path(str(module.__file__)).with_suffix(".pilot.toml")


def recorded(module: ModuleType, settings: Settings) -> dict[str, float]:
    """Return each claim's power on the pilot seeds; nothing if `settings` are not the pilot's.

    Claims that are judged deterministically have no power.
    """
    try:
        kept = tomllib.loads(path(module).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if kept["settings"] != sizes(settings):
        return {}
    return {id: found["power"] for id, found in kept["claims"].items() if "power" in found}


def sizes(settings: Settings) -> dict[str, Any]:
    """The settings but for the seed, as they stand in a pilot's file."""
    values = settings.model_dump(mode="json", exclude={"seed"}, exclude_none=True)
    return dict(values)


def table(settings: Settings, records: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a pilot's file: the settings, then each claim's verdict and power."""
    lines = ["# Power on pilot seeds. Written by `make pilots`.", "", "[settings]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in sizes(settings).items()]
    lines += ["", "[claims]"]
    for r in records:
        power = "" if r["power"] is None else f", power = {float(format(r['power'], '.3g'))}"
        lines.append(f'"{r["id"]}" = {{ verdict = "{r["verdict"]}"{power} }}')
    return "\n".join(lines) + "\n"


def power(record: Mapping[str, Any]) -> float | None:
    """A verdict's power on pilot seeds or, where that is not known, on its own."""
    pilot: float | None = record["pilot_power"]
    own: float | None = record["power"]
    return own if pilot is None else pilot


def weak(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the records whose power is below `ENOUGH`."""
    found = ((record, power(record)) for record in records)
    return [record for record, value in found if value is not None and value < ENOUGH]
