"""A verdict drawn to scale: interval, measured value, reference and tolerance, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WIDTH, HEIGHT, MARGIN = 180.0, 22.0, 6.0


def drawing(record: Mapping[str, Any]) -> str:
    """Return an SVG element, or "" where there is nothing to compare.

    Parameters
    ----------
    record : of ``verdicts.json``: `measured`, `interval`, `reference`, and `band`, what is within
        the tolerance

    Positive values that span more than three orders of magnitude are drawn on a logarithmic axis.
    """
    low, high = (_finite(v) for v in record["interval"])
    measured, reference = _finite(record["measured"]), _finite(record["reference"])
    if None in (low, high, measured, reference):
        return ""
    assert low is not None and high is not None and measured is not None and reference is not None
    band = [v for v in record.get("band") or () if _finite(v) is not None]
    values = [low, high, measured, *band]
    logarithmic = min(values) > 0 and max(values) / min(values) > 1e3
    place = _placer(values, logarithmic)
    a, b, m, r = (place(v) for v in (low, high, measured, reference))
    made = []
    if len(band) == 2 and band[1] > band[0]:
        left, right = (place(v) for v in band)
        made.append(f'<rect class="tolerance" x="{left:.1f}" y="1" '
                    f'width="{max(right - left, 1):.1f}" height="{HEIGHT - 2:g}"/>')  # fmt: skip
    made += [
        f'<line class="axis" x1="0" x2="{WIDTH:g}" y1="{HEIGHT / 2:g}" y2="{HEIGHT / 2:g}"/>',
        f'<line class="reference" x1="{r:.1f}" x2="{r:.1f}" y1="1" y2="{HEIGHT - 1:g}"/>',
        f'<rect class="interval" x="{a:.1f}" y="{HEIGHT / 2 - 3:g}" '
        f'width="{max(b - a, 1):.1f}" height="6" rx="2"/>',
        f'<circle class="measured" cx="{m:.1f}" cy="{HEIGHT / 2:g}" r="4"/>',
    ]
    told = f"{short(measured)} [{short(low)}, {short(high)}], reference {short(reference)}"
    return (
        f'<svg class="scale" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}" '
        f'height="{HEIGHT:g}" role="img" aria-label="{told}"><title>{told}</title>'
        + "".join(made) + "</svg>"
    )  # fmt: skip


def short(value: float | None) -> str:
    """A number in four digits."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _placer(values: list[float], logarithmic: bool) -> Any:
    """Return what maps a value to pixels, so that all of `values` are inside."""
    turn = math.log10 if logarithmic else float
    start, end = turn(min(values)), turn(max(values))
    if end <= start:
        start, end = start - 1, end + 1
    room = WIDTH - 2 * MARGIN

    def place(value: float) -> float:
        return MARGIN + room * (turn(value) - start) / (end - start)

    return place
