"""How much memory a data set may take: better one clear refusal than a machine that swaps."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from simdl.errors import InputError

UNKNOWN = 4 * 2**30  # assumed where the system does not tell


def available_memory() -> int:
    """Return the bytes that new arrays may take: what is free, within a container's limit."""
    limits = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    if not limits:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=UNKNOWN)


def refuse_larger(key: str, needed: int) -> None:
    """Raise InputError where `needed` bytes exceed the available memory."""
    available = available_memory()
    if needed > available:
        raise InputError(
            f"{key}: needs {_readable(needed)} of memory, {_readable(available)} are available:"
            " use fewer samples or a larger machine"
        )


def _readable(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"
