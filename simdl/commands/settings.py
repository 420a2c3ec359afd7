"""``--set KEY=VALUE``."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from simdl.errors import InputError


def read_value(text: str) -> Any:
    """A setting's value: JSON, a Python literal such as (2, 5) or 2,5, else the text itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Return settings from ``KEY=VALUE`` strings.

    Raises
    ------
    InputError
        For a pair without "=".
    """
    made: dict[str, Any] = {}
    problems = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            problems.append(f"--set {pair}: must be KEY=VALUE")
            continue
        made[key] = read_value(value)
    if problems:
        raise InputError(*problems)
    return made


def with_options(given: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Return settings with those that have an option of their own, such as ``--seed``.

    Raises
    ------
    InputError
        Where one is given in both ways.
    """
    chosen = {key: value for key, value in options.items() if value is not None}
    problems = [
        f"--{key} {value} and --set {key}={given[key]}: give one of them"
        for key, value in chosen.items()
        if key in given
    ]
    if problems:
        raise InputError(*problems)
    return dict(given) | chosen
