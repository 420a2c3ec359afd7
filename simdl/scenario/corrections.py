"""What the textbook gets wrong: claims expected to be refuted, the figure, what holds instead.

The texts are those of ``corrections.toml``; verdicts and measured values come from a run's records.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from simdl.scenario.claims import row

_KEPT = ("id", "verdict", "measured", "interval", "reference", "tolerance", "band", "command")


@cache
def load() -> Mapping[str, Any]:
    """Return the texts: row -> figure, says and instead."""
    with Path(__file__).with_name("corrections.toml").open("rb") as file:
        return tomllib.load(file)


def corrections(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an entry for each such row that was judged, in the order of the rows.

    Parameters
    ----------
    records : as in ``verdicts.json``

    Returns
    -------
    list of dict
        ``id``, ``scenario``, ``figure`` (file name without suffix), ``says`` and ``instead`` (by
        language), ``refuted`` (whether this run refutes every part of it) and ``parts``, the
        verdicts.
    """
    made = []
    for claim, told in sorted(load().items()):
        judged = [record for record in records if row(record["id"]) == claim]
        if not judged:
            continue
        scenario = judged[0]["scenario"]
        made.append(
            {
                "id": claim,
                "scenario": scenario,
                "figure": f"{scenario}-{told['figure']}",
                "says": told["says"],
                "instead": told["instead"],
                "refuted": all(record["verdict"] == "refuted" for record in judged),
                "parts": [{key: record.get(key) for key in _KEPT} for record in judged],
            }
        )
    return made
