"""A connection to Dask's scheduler: from an executor's name to workers ready for a sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from simdl.errors import InputError
from simdl.sweep import remote
from simdl.sweep.executors import address
from simdl.sweep.outcomes import Outcome
from simdl.sweep.pools import Unreachable
from simdl.sweep.shipping import Job, differences

ANSWER = 5.0  # seconds for a scheduler to answer
WORKERS = 10.0  # seconds for a first worker to be there
_START = 60.0  # the same for processes that are started here
_HEARD = 30.0  # seconds for the scheduler to answer once it has been there
_TOLD = 5.0  # seconds for workers to hear what is of no use to us


class Connection:
    """Dask's client, and the job that its workers are prepared for.

    Raises
    ------
    InputError
        If the scheduler does not answer, or has no workers.
    """

    def __init__(self, executor: str, jobs: int, job: Job) -> None:
        self.executor, self._job = executor, job
        self._refused: set[str] = set()
        self._begun = False
        with contextlib.ExitStack() as stack:
            self._client = stack.enter_context(_client(executor, jobs))
            self._wait_for_workers()
            self._closing = stack.pop_all()

    @property
    def alive(self) -> bool:
        """Whether the scheduler is there."""
        return self._client.status in ("running", "connecting")

    def unreachable(self, why: str) -> Unreachable:
        """Return the error that says so."""
        kept = "what came back is kept: start workers, and run it again"
        return Unreachable(f"executor: {self.executor!r}: {why}; {kept}")

    # --- workers ----------------------------------------------------------------------------------

    def workers(self) -> dict[str, int]:
        """Return the addresses of all workers and how many threads each has.

        Raises
        ------
        Unreachable
        """
        client = self._client
        try:
            return dict(client.sync(client.scheduler.ncores, callback_timeout=_HEARD))
        except (OSError, TimeoutError, RuntimeError):
            raise self.unreachable("the scheduler is gone") from None

    def prepared(self, addresses: Iterable[str]) -> list[str]:
        """Prepare workers for the job; return those that are ready.

        Raises
        ------
        InputError
            If one of the first cannot be, by its versions or for what a user's module lacks; one
            that comes later gets no work, and a warning says why.
        """
        new = [place for place in addresses if place not in self._refused]
        found = self._ask(remote.versions, new) if new else {}
        problems = {place: _problems(said, differences) for place, said in found.items()}
        fit = [place for place, wrong in problems.items() if wrong == []]
        said = self._ask(remote.prepare, fit, self._job) if fit else {}
        problems |= {place: _problems(wrong, list) for place, wrong in said.items()}
        told = [
            f"worker {place}: {each}" for place, wrong in problems.items() for each in wrong or ()
        ]
        if told and not self._begun:
            raise InputError(*(f"executor: {self.executor!r}: {line}" for line in told))
        for line in told:
            warnings.warn(f"{line}; it gets no work", RuntimeWarning, stacklevel=2)
        self._refused |= {place for place, wrong in problems.items() if wrong}
        self._begun = True
        return [place for place, wrong in problems.items() if wrong == [] and place in said]

    def _wait_for_workers(self) -> None:
        place = address(self.executor)
        until = time.monotonic() + (_START if place is None else WORKERS)
        while not self.workers():
            if time.monotonic() > until:
                todo = f"start some with dask worker {place}" if place else "try again"
                raise InputError(
                    f"executor: {self.executor!r}: the scheduler has no workers: {todo}"
                )
            time.sleep(0.1)

    def _ask(
        self, function: Callable[..., Any], places: Sequence[str], *given: Any
    ) -> dict[str, Any]:
        """Call a function on workers; where it raises, the error is what it returns."""
        try:
            return dict(
                self._client.run(
                    function,
                    *given,
                    workers=list(places),
                    on_error="return",
                    callback_timeout=2 * _HEARD,
                )
            )
        except (OSError, TimeoutError, RuntimeError):
            raise self.unreachable("its workers do not answer") from None

    def tell(self, function: Callable[..., Any], places: Iterable[str]) -> None:
        """Call `function` with the job's key on those workers that hear it."""
        with contextlib.suppress(Exception):  # a cluster that is gone need not be told
            self._client.run(
                function, self._job.key, workers=list(places), on_error="ignore",
                callback_timeout=_TOLD,
            )  # fmt: skip

    # --- chunks -----------------------------------------------------------------------------------

    def submit(self, place: str, table: Any, seeds: tuple[int, ...]) -> Any:
        """Run seeds of a cell on one worker; return Dask's future."""
        return self._client.submit(
            remote.run, self._job.key, table, seeds, pure=False, workers=[place]
        )

    def result(self, future: Any) -> list[Outcome] | None:
        """Return what a future brings, None where its worker went away with it.

        Raises
        ------
        Unreachable
            If the scheduler went away.
        """
        from distributed import KilledWorker

        if future.status == "error":
            error = future.exception(timeout=_TOLD)
            if isinstance(error, KilledWorker | remote.Unprepared):
                return None
            raise error
        if future.status == "finished":
            with contextlib.suppress(OSError, TimeoutError):
                found: list[Outcome] = future.result(timeout=_TOLD)
                return found
        if not self.alive:
            raise self.unreachable("the scheduler is gone")
        return None

    def give_up(self, future: Any) -> None:
        """Forget a future."""
        with contextlib.suppress(Exception):  # it is of no use either way
            future.cancel()

    def close(self, places: Iterable[str] = ()) -> None:
        """End the connection, and the workers of this process."""
        if self.alive:
            self.tell(remote.forget, places)
        self._closing.close()


def _problems(said: Any, read: Callable[[Any], list[str]]) -> list[str] | None:
    """Return what a worker's answer tells to be wrong there, None if it went away."""
    if isinstance(said, OSError | TimeoutError):
        return None
    if isinstance(said, Exception):
        return [f"simdl cannot be used there ({said}): install there what is installed here"]
    return read(said)


@contextlib.contextmanager
def _client(executor: str, jobs: int) -> Iterator[Any]:
    """Lend a client of a cluster on this machine, or of one elsewhere."""
    from distributed import Client

    place = address(executor)
    if place is None:
        with _local(jobs) as cluster, Client(cluster, set_as_default=False) as client:
            yield client
        return
    host, _, port = place.partition("://")[2].rpartition(":")
    try:  # Dask tries again where a connection is refused
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
        with ThreadPoolExecutor(1) as pool:  # a notebook's thread has a loop that runs already
            pool.submit(asyncio.run, _answer(place)).result()
        client = Client(place, timeout=ANSWER, set_as_default=False)
    except (OSError, TimeoutError, TypeError, ValueError, OverflowError) as error:
        why = str(error) or f"nothing in {ANSWER:.0f} s"
        raise InputError(
            f"executor: {executor!r}: no Dask scheduler answers there ({why}): check HOST:PORT and,"
            " with tls, the certificates in Dask's configuration"
        ) from None
    with client:
        yield client


async def _answer(place: str) -> None:
    """Wait for a scheduler's greeting, for which Dask's own client would wait forever."""
    from distributed.comm import connect
    from distributed.security import Security

    async with asyncio.timeout(ANSWER):
        given = Security().get_connection_args("client")
        comm = await connect(place, timeout=ANSWER, **given)
        await comm.close()


@contextlib.contextmanager
def _local(jobs: int) -> Iterator[Any]:
    """Lend worker processes that nobody else can reach."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
        try:
            cluster = LocalCluster(
                n_workers=jobs, threads_per_worker=1, processes=True, host="127.0.0.1",
                memory_limit=0, local_directory=folder, silence_logs=logging.CRITICAL,
                # the scheduler answers HTTP whatever is asked; its own choice is every interface
                dashboard_address=None,
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            )  # fmt: skip
        except RuntimeError as error:
            raise InputError(
                f"executor: 'dask': worker processes do not start ({error}): a script that runs"
                " a sweep on them must do so under if __name__ == '__main__':"
            ) from None
        with cluster:
            yield cluster
