"""What a user can get wrong, and how it is said."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any


class InputError(ValueError):
    """Wrong input: one line a problem, each naming the key, the value and what would be right.

    Parameters
    ----------
    *problems : str
        All problems found, so that a user mends them in one go.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


class StorageError(InputError):
    """A file, folder or store that cannot be read or written (command line: exit 5)."""


class Interrupted(Exception):
    """Ctrl-C, with what is to be said then (command line: exit 130)."""


class Problems(list[str]):
    """Problems found so far: what is checked goes on to the end, then all are raised at once."""

    def tried(self, build: Callable[..., Any], *given: Any) -> Any:
        """Return ``build(*given)``; where that raises InputError, note its problems instead."""
        try:
            return build(*given)
        except InputError as error:
            self.extend(error.problems)

    def report(self) -> None:
        """Raise InputError if there is any problem."""
        if self:
            raise InputError(*self)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` where something known is close to `name`, else the list."""
    known = sorted(known)
    spelt = {one.lower(): one for one in known}
    close = difflib.get_close_matches(str(name).lower(), spelt, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {spelt[close[0]]!r}?)"
    return f" (known: {', '.join(known)})"
