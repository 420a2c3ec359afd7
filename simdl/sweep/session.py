"""One run of a sweep: what is stored already, what waits, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from simdl.sweep.measures import canonical
from simdl.sweep.outcomes import CANCELLED, FAILED, Outcome
from simdl.sweep.pools import Chunk
from simdl.sweep.progress import Progress, Standings
from simdl.sweep.store import Store

if TYPE_CHECKING:
    from simdl.sweep.run import Sweep


class Session:
    """One run of a sweep: what is stored, what waits, what came back.

    Parameters
    ----------
    found : what is stored of the sweep, by identity
    wanted : identities that this run is to bring
    """

    def __init__(
        self,
        sweep: Sweep,
        store: Store | None,
        found: Mapping[str, Outcome],
        wanted: set[str],
        progress: Callable[[Progress], None] | None,
        keep_going: bool,
    ) -> None:
        self._sweep, self._store, self._wanted = sweep, store, wanted
        self._progress, self._keep_going = progress, keep_going
        # what a store keeps is read again at the end: a long run does not grow
        self.outcomes = {} if store else dict(found)
        self._known = set(found)
        self.trained = self._failed = 0
        self._stopping = False
        self._standings = Standings()
        self._done = len(wanted & found.keys())
        self._places: dict[tuple[int, int], str] = {}
        self.waiting: dict[int, list[int]] = {}
        planned = set(found)
        for cell, seed, identity in ((t.cell, t.seed, t.identity) for t in sweep.trials):
            self._places[cell, seed] = identity
            if identity in found:
                self._standings.add(cell, found[identity])
            elif identity in wanted and identity not in planned:
                planned.add(identity)
                self.waiting.setdefault(cell, []).append(seed)

    def finished(self, back: list[tuple[Chunk, list[Outcome]]]) -> bool:
        """Store the chunks that came back, in one transaction; return whether to go on."""
        kept = [
            (self._places[chunk.cell, result.seed], chunk.cell, result)
            for chunk, results in back
            for result in results
            if result.status != CANCELLED
        ]
        if self._store and kept:
            cells = {cell: canonical(self._sweep.cells[cell].coordinates) for _, cell, _ in kept}
            self._store.add(self._sweep.name, [(key, cells[cell], r) for key, cell, r in kept])
        for key, cell, result in kept:
            if key in self._known:
                continue  # an interrupt came between storing and here: it is handed on again
            self._known.add(key)
            if result.status == FAILED or not self._store:
                self.outcomes[key] = result
            self.trained += 1
            self._done += 1
            self._failed += result.status == FAILED
            self._standings.add(cell, result)
        self.report()
        return self._keep_going or not self._failed

    def stopping(self) -> None:
        """Ctrl-C was heard."""
        self._stopping = True
        self.report()

    def report(self) -> None:
        """Tell how far it is."""
        if self._progress is not None:
            self._progress(
                Progress(
                    self._sweep.name, len(self._wanted), self._done, self.trained, self._failed,
                    self._standings.best(), self._stopping,
                )
            )  # fmt: skip
