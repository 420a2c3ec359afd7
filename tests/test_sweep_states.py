"""A store against a dictionary, through any order of writing, forgetting, merging and reopening."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simdl.sweep import ledger
from simdl.sweep.forms import Array
from simdl.sweep.grid import Trial
from simdl.sweep.outcomes import COMPLETED, DIVERGED, FAILED, Outcome
from simdl.sweep.store import Store

NAMES = [f"id{i}" for i in range(6)]
BATCH = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from([COMPLETED, DIVERGED, FAILED]), st.integers(0, 99)
    ),
    max_size=4,
)
DESCRIPTION = {"axes": [], "seeds": list(range(len(NAMES)))}
TRIALS = [Trial(0, i, name) for i, name in enumerate(NAMES)]

Model = dict[str, tuple[str, int]]


def put(store: Store, model: Model, batch: list[tuple[str, str, int]]) -> None:
    """Write to both: what is stored stays, a failure gives way."""
    made = []
    for name, status, value in batch:
        variables = {} if status == FAILED else {"v": Array(np.full(value, value), ("x",))}
        made.append((name, "{}", Outcome(NAMES.index(name), status, "", 0.0, variables)))
        if model.get(name, (FAILED, 0))[0] == FAILED:
            model[name] = status, value
    store.add("s", made)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "s")
        self.model: Model = {}
        self.others = 0
        ledger.register(self.store, "s", DESCRIPTION, TRIALS, {})

    @rule(batch=BATCH)
    def add(self, batch: list[tuple[str, str, int]]) -> None:
        put(self.store, self.model, batch)

    @rule(names=st.sets(st.sampled_from(NAMES), max_size=3))
    def forget(self, names: set[str]) -> None:
        ledger.forget(self.store, names)
        self.model = {k: v for k, v in self.model.items() if k not in names}

    @rule(batch=BATCH)
    def merge(self, batch: list[tuple[str, str, int]]) -> None:
        self.others += 1
        path, other = self.folder / f"other{self.others}", {}
        with Store(path) as store:
            put(store, other, batch)
            ledger.register(store, "s", DESCRIPTION, TRIALS, {})
        came = 0
        for name, (status, value) in other.items():
            mine = self.model.get(name)
            if mine is None or (mine[0] == FAILED != status):
                self.model[name] = status, value
                came += 1
        assert ledger.merge(self.store, path) == came

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.folder / "s")

    @invariant()
    def agrees(self) -> None:
        good = {k: v for k, v in self.model.items() if v[0] != FAILED}
        assert self.store.done(NAMES) == good.keys()
        found = self.store.results(NAMES)
        assert found.keys() == good.keys()
        for name, (status, value) in good.items():
            assert found[name].status == status
            assert found[name].variables["v"].values.tolist() == [value] * value
        (entry,) = ledger.entries(self.store)
        states = {m.identity: m.status for m in ledger.members(self.store, entry)}
        assert states == {n: self.model.get(n, (ledger.MISSING,))[0] for n in NAMES}
        assert sum(entry.trials.values()) == len(NAMES) and not ledger.unlisted(self.store)

    def teardown(self) -> None:
        with self.store.reading() as connection:
            (orphans,) = connection.execute(
                "SELECT count(*) FROM arrays WHERE identity NOT IN (SELECT identity FROM trials)"
            ).fetchone()
        self.store.close()
        shutil.rmtree(self.folder)
        assert orphans == 0


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=12, stateful_step_count=12, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
