"""`simdl explain`: a scenario's question, claims and settings."""

from __future__ import annotations

from typing import Any


def explanation(name: str) -> dict[str, Any]:
    """Return question, claims and settings of a scenario, as plain tables.

    Raises
    ------
    InputError
        If there is no such scenario.
    """
    from simdl.scenario import texts
    from simdl.scenario.catalogue import find
    from simdl.scenario.claims import expected

    module = find(name)
    short = module.__name__.rpartition(".")[2]
    kind = module.Settings
    settings = []
    for key, entry in kind.model_fields.items():
        own = {"name": key, "default": entry.default}
        own |= {
            m.lower(): getattr(kind, m)[key] for m in ("QUICK", "FULL") if key in getattr(kind, m)
        }
        settings.append(own | {"description": entry.description or ""})
    return {
        "name": short,
        "question": texts.question(module.QUESTION),
        "claims": [
            {"id": c, "expected": expected(c), "statement": texts.claim(short, c).statement}
            for c in texts.claims(short)
        ],
        "settings": settings,
    }


def lines(told: dict[str, Any]) -> list[str]:
    """Return an explanation as text."""
    said = [told["question"], "", "Claims"]
    for claim in told["claims"]:
        said.append(f"  {claim['id']} (expected: {claim['expected']})\n    {claim['statement']}")
    said += ["", "Settings, for --set KEY=VALUE"]
    for own in told["settings"]:
        modes = "".join(f"; --{m} {own[m]}" for m in ("quick", "full") if m in own)
        said.append(f"  {own['name']} = {own['default']}{modes}\n    {own['description']}")
    return said
