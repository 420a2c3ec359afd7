"""What the Dask executor decides, against workers that are played: no Dask is needed here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sweep_cases import measurements

from simdl.errors import InputError
from simdl.sweep import cluster, executors
from simdl.sweep.cluster import KILLS, Cluster
from simdl.sweep.executors import Chunk, Schedule, conduct
from simdl.sweep.outcomes import CANCELLED, COMPLETED, FAILED, Outcome
from simdl.sweep.pools import Unreachable

SEEDS = range(8)
CELLS = 3
Trials = dict[tuple[int, int], Outcome]


@dataclass(eq=False)
class Sent:
    """A future, as far as the pool looks at one."""

    key: str
    worker: str
    cell: int
    seeds: tuple[int, ...]
    back: Callable[[Any], Any] | None = None

    def add_done_callback(self, function: Callable[[Any], Any]) -> None:
        self.back = function


class Played:
    """Workers that take a turn whenever the pool looks: they bring what they run, or die of it.

    Parameters
    ----------
    threads : of each worker, by address
    deadly : (cell, seed) that kill whoever runs them; a new worker then comes under a new address
    killed : the turns from which on a worker at work dies, once, of something else
    """

    alive = True
    compiles = True

    def __init__(
        self, threads: Mapping[str, int], deadly: Any = (), killed: Any = (), reborn: bool = True
    ) -> None:
        self.threads, self.deadly, self.killed = dict(threads), set(deadly), set(killed)
        self.reborn = reborn
        self.sent: list[Sent] = []
        self.deaths = self.turns = 0
        self.warm: set[str] = set()
        self._numbers = itertools.count(1000)

    def workers(self) -> dict[str, int]:
        self.turns += 1
        for worker in list(self.threads):
            mine = [sent for sent in self.sent if sent.worker == worker]
            doomed = any((s.cell, seed) in self.deadly for s in mine for seed in s.seeds)
            due = [turn for turn in self.killed if turn <= self.turns]
            if due and any(sent.seeds for sent in mine):
                self.killed.discard(min(due))
                doomed = True
            if doomed:
                self._die(worker)
            for sent in () if doomed else mine:
                self.sent.remove(sent)
                self.warm.add(worker.rpartition(":")[0])
                assert sent.back is not None
                sent.back(sent)
        return dict(self.threads)

    def _die(self, worker: str) -> None:
        threads = self.threads.pop(worker)
        self.sent = [sent for sent in self.sent if sent.worker != worker]
        self.deaths += 1
        if self.reborn:
            self.threads[f"{worker.rpartition(':')[0]}:{next(self._numbers)}"] = threads

    def prepared(self, addresses: Any) -> list[str]:
        return sorted(addresses)

    def submit(self, worker: str, table: int, seeds: tuple[int, ...]) -> Sent:
        sent = Sent(f"{next(self._numbers)}", worker, table, seeds)
        self.sent.append(sent)
        mine = [s for s in self.sent if s.worker == worker]
        assert len(mine) <= self.threads[worker]
        host = worker.rpartition(":")[0]
        there = [s for s in self.sent if s.worker.rpartition(":")[0] == host]
        if seeds:
            assert host in self.warm or not self.compiles
        else:
            assert self.compiles and len(there) == 1 and host not in self.warm
        return sent

    def result(self, sent: Sent) -> list[Outcome]:
        return [Outcome(seed, COMPLETED, "", 0.3) for seed in sent.seeds]

    def give_up(self, sent: Sent) -> None:
        self.sent = [other for other in self.sent if other is not sent]

    def tell(self, function: Any, workers: Any) -> None: ...

    def close(self, workers: Any = ()) -> None: ...

    def unreachable(self, why: str) -> Unreachable:
        return Unreachable(why)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LOOK", -1.0)
    monkeypatch.setattr(cluster, "GRACE", 0.0)
    monkeypatch.setattr(executors, "_PATIENCE", 0.001)


def played(workers: Played, jobs: int | None = None, going: bool = True) -> Trials:
    """Run all trials on such workers; return what was handed on."""
    found: Trials = {}

    def finished(back: list[tuple[Chunk, list[Outcome]]]) -> bool:
        for chunk, outcomes in back:
            assert [outcome.seed for outcome in outcomes] == list(chunk.seeds)
            new = {(chunk.cell, outcome.seed): outcome for outcome in outcomes}
            assert not new.keys() & found.keys()
            found.update(new)
        return going or all(outcome.status != FAILED for outcome in found.values())

    pool = Cluster(workers, range(CELLS), jobs, workers.compiles)
    schedule = Schedule({cell: list(SEEDS) for cell in range(CELLS)}, pool.threads)
    try:
        conduct(schedule, pool, finished)
    except Unreachable as error:
        error.found = found  # type: ignore[attr-defined]
        raise
    return found


def test_what_must_not_be_compiled_begins_everywhere_at_once() -> None:
    """Long trials: all workers have one before the first comes back."""

    class Slow(Played):
        compiles = False
        most = looks = 0

        def workers(self) -> dict[str, int]:
            self.most, self.looks = max(self.most, len(self.sent)), self.looks + 1
            begun = self.most == 3 or self.looks > 100
            return super().workers() if begun else dict(self.threads)

    workers = Slow({"a:1": 1, "a:2": 1, "a:3": 1})
    assert played(workers).keys() == ALL and workers.most == 3


def test_who_compiles_may_die_of_it() -> None:
    class Fatal(Played):
        def workers(self) -> dict[str, int]:
            for worker in list(self.threads):
                if any(sent.worker == worker and not sent.seeds for sent in self.sent):
                    self.warm.add(worker.rpartition(":")[0])  # the others are on their own
                    self._die(worker)
            return super().workers()

    workers = Fatal(MANY)
    found = played(workers)
    assert workers.deaths == 2 and found.keys() == ALL
    assert {o.status for o in found.values()} == {COMPLETED}


ALL = {(cell, seed) for cell in range(CELLS) for seed in SEEDS}
ONE, WIDE = {"a:1": 1}, {"a:1": 4}
MANY = {"a:1": 1, "a:2": 1, "b:1": 3}


@pytest.mark.parametrize("threads", [ONE, WIDE, MANY])
@pytest.mark.parametrize("jobs", [None, 2])
def test_all_comes_back(threads: dict[str, int], jobs: int | None) -> None:
    found = played(Played(threads), jobs)
    assert found.keys() == ALL and {o.status for o in found.values()} == {COMPLETED}


@pytest.mark.parametrize("threads", [ONE, WIDE, MANY])
@pytest.mark.parametrize("deadly", [{(0, 0)}, {(1, 5)}, {(0, 7), (2, 3), (2, 4)}])
def test_only_what_kills_its_worker_fails(
    threads: dict[str, int], deadly: set[tuple[int, int]]
) -> None:
    workers = Played(threads, deadly)
    found = played(workers)
    assert found.keys() == ALL
    assert {trial for trial, o in found.items() if o.status == FAILED} == deadly
    assert {found[trial].message.partition(":")[0] for trial in deadly} == {
        f"killed its worker {KILLS} times"
    }
    halvings = 3  # of a chunk of up to eight seeds
    assert workers.deaths <= len(deadly) * (2 + halvings + KILLS)


@pytest.mark.parametrize("threads", [ONE, WIDE, MANY])
def test_a_lost_worker_loses_nothing(threads: dict[str, int]) -> None:
    workers = Played(threads, killed={2, 3, 7})
    found = played(workers)
    assert workers.deaths == 3
    assert found.keys() == ALL and {o.status for o in found.values()} == {COMPLETED}


def test_a_trial_that_is_killed_too_often_by_others_would_fail() -> None:
    """The check of the test above: chance, struck often enough, is taken for the trial's fault."""
    found = played(Played(ONE, killed=set(range(2, 2 + 2 + 3 + KILLS))))
    assert FAILED in {outcome.status for outcome in found.values()}


def test_the_first_failure_may_stop_the_rest() -> None:
    found = played(Played(ONE, {(0, 0)}), going=False)
    assert found[0, 0].status == FAILED
    assert {o.status for trial, o in found.items() if trial != (0, 0)} <= {CANCELLED, COMPLETED}
    assert len(found) < len(ALL)


def test_without_workers_it_ends_and_keeps_what_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ALONE", 0.01)
    with pytest.raises(Unreachable, match="no worker for") as ended:
        played(Played(ONE, killed={6}, reborn=False))
    found = ended.value.found  # type: ignore[attr-defined]
    kept = {trial for trial, outcome in found.items() if outcome.status == COMPLETED}
    assert kept and kept < ALL


@pytest.mark.parametrize("threads", [ONE, WIDE])
def test_a_process_that_does_not_know_the_job_is_prepared_again(threads: dict[str, int]) -> None:
    class Forgetful(Played):
        forgot, greeted = 0, 0

        def prepared(self, addresses: Any) -> list[str]:
            self.greeted += 1
            return super().prepared(addresses)

        def result(self, sent: Sent) -> Any:
            self.forgot += 1
            return None if self.forgot == 2 else super().result(sent)

    workers = Forgetful(threads)
    found = played(workers)
    assert found.keys() == ALL and {o.status for o in found.values()} == {COMPLETED}
    assert workers.greeted == 2


# --- names ----------------------------------------------------------------------------------------


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "find_spec", lambda name: object())
    known = {
        "threads": None, "dask": None, "dask://10.0.0.1:8786": "tcp://10.0.0.1:8786",
        "tls://head:8786": "tls://head:8786", "dask://[::1]:8786/": "tcp://[::1]:8786",
    }  # fmt: skip
    for name, place in known.items():
        executors.check_executor(name)
        assert executors.address(name) == place
    for name in ("dask:", "dask://host", "dask://:1/x", "tcp://h:1", "dask://h:port", "", 3, None):
        with pytest.raises(InputError, match=r"unknown .*dask://HOST:PORT"):
            executors.check_executor(name)


@pytest.mark.parametrize("name", ["dask", "dask://127.0.0.1:8786", "tls://127.0.0.1:8786"])
def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(executors, "find_spec", lambda module: None)
    with pytest.raises(InputError, match=r"pip install 'simdl\[dask\]'"):
        measurements().run(executor=name)
