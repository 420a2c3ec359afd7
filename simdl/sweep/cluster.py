"""The Dask executor: chunks on worker processes of this machine, or of a cluster.

Every chunk is sent to a worker chosen here, and to none more than it has threads: which chunks were
on a worker that died is then known, and no other is suspected.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simdl.sweep import executors, remote, shipping
from simdl.sweep.connecting import Connection
from simdl.sweep.outcomes import CANCELLED, FAILED, Outcome
from simdl.sweep.pools import Back, Chunk, Unreachable

if TYPE_CHECKING:
    from simdl.sweep.run import Sweep

LOOK = 0.5  # seconds between looks at which workers there are
ALONE = 60.0  # seconds without any worker, then the run ends
GRACE = 2.0  # seconds that stopped chunks have to come back
KILLS = 3  # workers that one trial may take along
_SPLIT = 2  # workers that several trials may take along before they are parted


@dataclass(eq=False)
class _Whole:
    """A chunk as it was submitted, and what its parts brought so far."""

    chunk: Chunk
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def back(self) -> Back:
        lost = {seed: Outcome(seed, CANCELLED) for seed in self.chunk.seeds}
        found = lost | self.outcomes
        return self.chunk, [found[seed] for seed in self.chunk.seeds]


@dataclass(eq=False)
class _Piece:
    """Trials that one worker runs in one go: a chunk, or a part of one that killed its worker.

    Attributes
    ----------
    kills : workers that died while they ran this and nothing else
    suspect : it was on a worker that died, and is next run on one that runs nothing else
    """

    whole: _Whole
    seeds: tuple[int, ...]
    kills: int = 0
    suspect: bool = False
    worker: str = ""
    future: Any = None


@dataclass(eq=False)
class _Worker:
    threads: int
    pieces: list[_Piece] = field(default_factory=list)

    def takes(self, piece: _Piece | None) -> bool:
        """Tell whether a piece, or a new chunk, may start here now."""
        if piece is not None and piece.suspect:
            return not self.pieces
        return len(self.pieces) < self.threads and not any(p.suspect for p in self.pieces)


class Cluster:
    """A pool of Dask's workers.

    On each host one worker compiles what trainings need, into a cache that the host's other workers
    read, before chunks are sent there. Workers may come and go. What a lost worker ran is run
    again, alone; what keeps killing its worker is halved, down to the trial, which fails.

    Parameters
    ----------
    connection : to the scheduler; it is closed with the pool
    tables : what each cell is described by
    jobs : chunks that may run at once, None for as many as the workers have threads
    compiles : whether there is something to compile before; what a measurement needs is not known
    """

    def __init__(
        self,
        connection: Connection,
        tables: Sequence[Any],
        jobs: int | None = None,
        compiles: bool = True,
    ) -> None:
        self._connection, self._tables, self._jobs = connection, tables, jobs
        self._compiles = compiles
        self._workers: dict[str, _Worker] = {}
        self._warm: set[str] = set()  # hosts
        self._warming: dict[str, tuple[str, Any]] = {}  # by host: the worker that compiles, future
        self._waiting: deque[_Piece] = deque()
        self._sent: dict[str, _Piece] = {}  # by the key of its future
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()  # futures that came back
        self._ready: deque[_Whole] = deque()
        self.running = 0
        self._looked = 0.0
        self._seen = time.monotonic()  # when there was a worker
        self._look()

    @property
    def threads(self) -> int:
        """How many chunks can run at once now, at least 1."""
        count = sum(worker.threads for worker in self._workers.values())
        return max(1, count if self._jobs is None else min(count, self._jobs))

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, sweep: Sweep, executor: str, waiting: Mapping[int, Sequence[int]], jobs: int
    ) -> Iterator[Cluster]:
        """Lend the pool that an executor's name stands for, its workers ready for a sweep.

        Raises
        ------
        InputError
        """
        elsewhere = executors.address(executor) is not None
        made = shipping.job(sweep, waiting, own_processes=not elsewhere)
        count = min(executors.workers(jobs), sum(map(len, waiting.values())))
        limit = None if elsewhere and jobs < 0 else executors.workers(jobs)
        with contextlib.closing(Connection(executor, count, made)) as connection:
            tables = [cell.table for cell in sweep.cells]
            yield cls(connection, tables, limit, sweep.measure is None)

    # --- what every pool does ---------------------------------------------------------------------

    def room(self) -> bool:
        return not self._waiting and self._free(None) is not None

    def submit(self, chunk: Chunk) -> None:
        self.running += 1
        self._waiting.append(_Piece(_Whole(chunk), chunk.seeds))
        self._send_waiting()

    def next(self, back: list[Back], timeout: float) -> bool:
        if not self._ready:
            with contextlib.suppress(queue.Empty):
                self._returned(self._events.get(timeout=timeout))
        self._look()
        self._send_waiting()
        if not self._ready:
            return False
        back.append(self._ready[0].back())
        self._ready.popleft()
        self.running -= 1
        return True

    def stop(self, back: list[Back]) -> None:
        open_ = {id(p.whole): p.whole for p in (*self._waiting, *self._sent.values())}
        self._waiting.clear()
        self._connection.tell(remote.stop, self._workers)
        until = time.monotonic() + GRACE
        while self._sent and time.monotonic() < until and self._connection.alive:
            with contextlib.suppress(queue.Empty, Unreachable):
                self._returned(self._events.get(timeout=0.05))
        self._sent.clear()
        self._waiting.clear()
        whole = [*self._ready, *(w for w in open_.values() if w not in self._ready)]
        back.extend(each.back() for each in whole)
        self._ready.clear()
        self.running = 0

    def close(self, abandon: bool = False) -> None:
        self._connection.close(self._workers)

    # --- sending and taking back ------------------------------------------------------------------

    def _free(self, piece: _Piece | None) -> str | None:
        """Return the worker with most room for a piece, or for a new chunk, None where none is."""
        if self._jobs is not None and len(self._sent) >= self._jobs:
            return None
        free = [
            address
            for address, worker in self._workers.items()
            if worker.takes(piece) and (_host(address) in self._warm or not self._compiles)
        ]
        load = {a: len(self._workers[a].pieces) / self._workers[a].threads for a in free}
        return min(free, key=load.__getitem__, default=None)

    def _warm_up(self, table: Any) -> None:
        """Let one worker of each host compile; one that dies of it, or fails, is of no account."""
        for address in self._workers:
            host = _host(address)
            if host not in self._warm and host not in self._warming:
                future = self._connection.submit(address, table, ())
                self._warming[host] = address, future
                future.add_done_callback(self._events.put)

    def _warmed(self, host: str) -> None:
        self._connection.give_up(self._warming.pop(host)[1])
        self._warm.add(host)

    def _send_waiting(self) -> None:
        if self._compiles and self._waiting:
            self._warm_up(self._tables[self._waiting[0].whole.chunk.cell])
        for piece in list(self._waiting):
            address = self._free(piece)
            if address is None:
                return  # those behind it wait, too: a suspect needs a worker that is idle
            self._waiting.remove(piece)
            table = self._tables[piece.whole.chunk.cell]
            piece.worker = address
            piece.future = self._connection.submit(address, table, piece.seeds)
            self._sent[piece.future.key] = piece
            self._workers[address].pieces.append(piece)
            piece.future.add_done_callback(self._events.put)

    def _returned(self, future: Any) -> None:
        """Take what a future brings; a piece that was given up meanwhile has another by now."""
        for host in [host for host, (_, made) in self._warming.items() if made is future]:
            self._warmed(host)
        piece = self._sent.get(future.key)
        if piece is None:
            return
        result = self._connection.result(future)
        if result is None:  # its worker died, or is another process under the same address
            self._lost(self._workers.pop(piece.worker))
            return
        del self._sent[future.key]
        self._workers[piece.worker].pieces.remove(piece)
        self._bring(piece, result)

    def _bring(self, piece: _Piece, outcomes: Sequence[Outcome]) -> None:
        whole = piece.whole
        whole.outcomes |= {outcome.seed: outcome for outcome in outcomes}
        if len(whole.outcomes) == len(whole.chunk.seeds):
            self._ready.append(whole)

    # --- workers that come and go -----------------------------------------------------------------

    def _look(self) -> None:
        """Find out which workers there are, every LOOK seconds."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        there = self._connection.workers()
        for address in self._workers.keys() - there.keys():
            self._lost(self._workers.pop(address))
        for host in [host for host, (at, _) in self._warming.items() if at not in there]:
            self._warmed(host)
        new = there.keys() - self._workers.keys()
        for address in self._connection.prepared(new) if new else ():
            self._workers[address] = _Worker(there[address])
        self._looked = now = time.monotonic()
        if self._workers:
            self._seen = now
        elif now - self._seen > ALONE:
            raise self._connection.unreachable(f"no worker for {ALONE:.0f} s")

    def _lost(self, worker: _Worker) -> None:
        """Take back what a worker ran that went away."""
        alone = len(worker.pieces) == 1
        for piece in worker.pieces:
            del self._sent[piece.future.key]
            self._connection.give_up(piece.future)
            self._suspect(piece, alone)

    def _suspect(self, piece: _Piece, alone: bool) -> None:
        """Run a lost piece again, in halves if it went on killing, or let its one trial fail."""
        piece.kills += alone
        piece.suspect = True
        if len(piece.seeds) == 1 and piece.kills >= KILLS:
            said = f"killed its worker {piece.kills} times: it crashes, or needs too much memory"
            self._bring(piece, [Outcome(piece.seeds[0], FAILED, said)])
        elif len(piece.seeds) > 1 and piece.kills >= _SPLIT:
            self._waiting.extendleft(reversed(list(_halves(piece))))
        else:
            self._waiting.appendleft(piece)


def _halves(piece: _Piece) -> Iterator[_Piece]:
    """Part a piece: a half of several trials is parted once it kills, one trial has its tries."""
    middle = len(piece.seeds) // 2
    for seeds in (piece.seeds[:middle], piece.seeds[middle:]):
        yield _Piece(piece.whole, seeds, _SPLIT - 1 if len(seeds) > 1 else 0, suspect=True)


def _host(address: str) -> str:
    return address.rpartition(":")[0]
