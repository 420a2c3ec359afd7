"""Parameters as this project writes them, "name : what it is": words, where others put a type.

The types stand in the signatures, so in the table of parameters the words are the description.
"""

from __future__ import annotations

from typing import Any

from griffe import DocstringSectionKind, Extension

_NAMED = {
    DocstringSectionKind.parameters,
    DocstringSectionKind.attributes,
    DocstringSectionKind.other_parameters,
}


class Words(Extension):
    """Turn the words behind a name into its description, the signature's type into its type."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Change the parsed docstring of a module, class, function or attribute."""
        if obj.docstring is None:
            return
        known = _types(obj)
        for section in obj.docstring.parsed:
            for item in section.value if section.kind in _NAMED else ():
                words = item.annotation
                if words is None or (item.description and item.name not in known):
                    continue
                if str(words) != str(known.get(item.name)):
                    item.description = f"{words}\n{item.description}".strip()
                    item.annotation = known.get(item.name)


def _types(obj: Any) -> dict[str, Any]:
    """Return the annotations of what a docstring may name."""
    if obj.is_function:
        return {parameter.name: parameter.annotation for parameter in obj.parameters}
    if obj.is_class:
        own = {n: m.annotation for n, m in obj.members.items() if m.is_attribute}
        made = obj.members.get("__init__")
        return own | (_types(made) if made is not None and made.is_function else {})
    return {}
