"""Ctrl-C during a compiled call: Python hears it only between its own instructions."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

_PATIENCE = 0.02  # seconds between looks for Ctrl-C


def interruptible(
    run: Callable[[], None], control: np.ndarray, watch: Callable[[int], None] | None = None
) -> None:
    """Run compiled code in another thread, so that Ctrl-C is heard and passed on.

    Parameters
    ----------
    run : the call; what it raises comes out here
    control : (3,) int64, the control block it looks at
    watch : told the step every now and then

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, once the compiled call has ended.
    """
    from simdl.engine.state import CANCEL, STEP

    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    try:
        thread.start()
        while thread.is_alive():
            thread.join(_PATIENCE)
            if watch is not None:
                watch(int(control[STEP]))
    except KeyboardInterrupt:
        control[CANCEL] = 1
        if thread.ident is not None:
            thread.join()
        raise
    if failed:
        raise failed[0]
