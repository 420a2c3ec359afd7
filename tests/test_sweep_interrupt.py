"""The executor under Ctrl-C and at a failure: what runs, what is handed on, what never starts."""

from __future__ import annotations

import _thread
import threading

import numpy as np
import pytest

from simdl.sweep import executors
from simdl.sweep.executors import Chunk, Schedule, threads
from simdl.sweep.outcomes import CANCELLED, COMPLETED, FAILED, Outcome

PATIENCE = 60.0  # seconds, should the test hang


class Work:
    """Twenty chunks on two threads; the second one interrupts the main thread."""

    def __init__(self, times: int) -> None:
        self.heard, self.times = threading.Event(), times
        self.started: list[int] = []
        self.handed: dict[int, str] = {}

    def run(self, chunk: Chunk, control: np.ndarray) -> list[Outcome]:
        self.started.append(chunk.cell)
        if chunk.cell == 1:
            _thread.interrupt_main()
        if chunk.cell >= 1:
            assert self.heard.wait(PATIENCE)
        if chunk.cell == 1 and self.times == 2:
            _thread.interrupt_main()
        if self.times == 2:
            for _ in range(int(PATIENCE / 0.01)):
                if chunk.cell == 0 or control[0] != 0:
                    break
                threading.Event().wait(0.01)
        status = CANCELLED if control[0] != 0 else COMPLETED
        return [Outcome(seed, status) for seed in chunk.seeds]

    def finished(self, back: list[tuple[Chunk, list[Outcome]]]) -> bool:
        self.handed |= {chunk.cell: outcomes[0].status for chunk, outcomes in back}
        return True


@pytest.mark.parametrize("times", [1, 2])
def test_one_interrupt_finishes_what_runs_and_two_stop_it(times: int) -> None:
    work = Work(times)
    schedule = Schedule({cell: [0] for cell in range(20)}, jobs=2)
    with pytest.raises(KeyboardInterrupt):
        threads(schedule, work.run, work.finished, 2, None, work.heard.set)
    assert work.heard.is_set() and 2 <= len(work.started) <= 4
    assert set(work.started) <= set(work.handed)
    later = {status for cell, status in work.handed.items() if cell >= 1}
    assert later == ({COMPLETED} if times == 1 else {CANCELLED})


def test_the_first_failure_may_stop_the_rest() -> None:
    handed = []

    def run(chunk: Chunk, control: np.ndarray) -> list[Outcome]:
        return [Outcome(0, FAILED if chunk.cell == 2 else COMPLETED)]

    def finished(back: list[tuple[Chunk, list[Outcome]]]) -> bool:
        handed.extend(chunk.cell for chunk, _ in back)
        return all(outcomes[0].status != FAILED for _, outcomes in back)

    threads(Schedule({cell: [0] for cell in range(20)}, jobs=1), run, finished, 1)
    assert handed[:3] == [0, 1, 2] and len(handed) <= 5


def test_quick_chunks_are_stored_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def batches(hold: float) -> list[int]:
        monkeypatch.setattr(executors, "HOLD", hold)
        found: list[int] = []
        schedule = Schedule({cell: [0] for cell in range(20)}, jobs=1)
        threads(
            schedule, lambda chunk, control: [Outcome(0, COMPLETED)],
            lambda back: not found.append(len(back)), 1,
        )  # fmt: skip
        assert sum(found) == 20
        return found

    assert batches(-1.0) == [1] * 20
    assert batches(PATIENCE) == [1, 19]  # the first at once, the last when nothing runs


def test_the_first_chunk_holds_no_other_back() -> None:
    """Two chunks that wait for each other."""
    both, handed = threading.Barrier(2), []

    def run(chunk: Chunk, control: np.ndarray) -> list[Outcome]:
        both.wait(PATIENCE)
        return [Outcome(0, COMPLETED)]

    def finished(back: list[tuple[Chunk, list[Outcome]]]) -> bool:
        handed.extend(chunk.cell for chunk, _ in back)
        return True

    threads(Schedule({0: [0], 1: [0]}, jobs=2), run, finished, 2)
    assert sorted(handed) == [0, 1]


def test_an_error_in_storing_ends_the_threads() -> None:
    def finished(back: list[tuple[Chunk, list[Outcome]]]) -> bool:
        raise OSError("planted")

    before = threading.active_count()
    with pytest.raises(OSError, match="planted"):
        threads(
            Schedule({cell: [0] for cell in range(9)}, jobs=2),
            lambda chunk, control: [Outcome(0, COMPLETED)], finished, 2,
        )  # fmt: skip
    assert threading.active_count() == before
