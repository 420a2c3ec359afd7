"""What messages recommend in Python's terms, as the command line has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from simdl.errors import InputError

FORMS = {
    r"missing='(\w+)'": r"--missing \1",
    r"task='(\w+)'": r"--task \1",
    r"header=false": "--no-header",
    r"header=true": "--set data.header=true",
    r"delimiter='([^']+)'": r"""--set 'data.delimiter="\1"'""",
    r"categories=\['(.*?)'\]": r"""--set 'data.categories=["\1"]'""",
    r"scale='(\w+)'": r"--set data.scale=\1",
    r"loss='(\w+)'": r"--set training.loss=\1",
    r"stop='(\w+)'": r"--set stop=\1",
    r"init='(\w+)'": r"--set network.init=\1",
    r"clip_norm=1": "--set regularization.clip_norm=1",
}  # argument -> option


def as_options(text: str) -> str:
    """Return a message with arguments, such as missing='mean', as options of `simdl train`."""
    for argument, option in FORMS.items():
        text = re.sub(rf"(?<![\w.]){argument}", option, text)
    return text


@contextmanager
def in_options() -> Iterator[None]:
    """Word what is raised inside for the command line."""
    try:
        yield
    except InputError as error:
        raise type(error)(*map(as_options, error.problems)) from None
