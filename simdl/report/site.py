"""The pages themselves, from templates: static, self-contained, no network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from simdl.errors import StorageError
from simdl.report.content import everything

PAGES = "pages"  # the folder of all pages but the first one
ASSETS = ("style.css", "script.js")
_CODE = re.compile(r"`([^`]+)`")


def marked(text: str) -> Markup:
    """A text with `code` in backticks, safe to be put into a page."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def said(both: dict[str, str]) -> Markup:
    """A text in both languages, of which the page shows one."""
    return Markup("").join(
        Markup('<span lang="{}">{}</span>').format(language, marked(text))
        for language, text in both.items()
    )


def build(out: Path) -> Path:
    """Write the report into the folder of a run's figures; return the path of its first page.

    Raises
    ------
    InputError
        If there has been no run.
    StorageError
        If the folder cannot be written.
    """
    import jinja2

    from simdl.sweep.description import provenance

    content = everything(out)
    machine = {k: v for k, v in provenance().items() if k != "command"}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"said": said, "marked": marked}
    shared: dict[str, Any] = content | {"machine": machine}
    made: dict[str, tuple[str, dict[str, Any]]] = {"index.html": ("index.html", {})}
    made |= {f"{PAGES}/{name}.html": (f"{name}.html", {}) for name in ("wrong", "claims", "made")}
    made |= {
        f"{PAGES}/{one['name']}.html": ("scenario.html", {"own": one})
        for one in content["scenarios"]
    }
    try:
        (out / PAGES).mkdir(parents=True, exist_ok=True)
        for path, (template, own) in made.items():
            root = "" if "/" not in path else "../"
            page = environment.get_template(template).render(shared | own, root=root, path=path)
            (out / path).write_text(page, encoding="utf-8")
        for asset in ASSETS:
            text = Path(__file__).with_name("templates").joinpath(asset).read_text("utf-8")
            (out / PAGES / asset).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{out}: cannot be written: {error.strerror or error}") from None
    return out / "index.html"
