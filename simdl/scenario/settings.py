"""What every scenario's settings have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simdl.errors import InputError, suggest
from simdl.scenario.intervals import LEVEL, MIN_REPLICATES, QUICK_LEVEL
from simdl.spec import describe


class Settings(BaseModel):
    """Settings of a scenario; a subclass adds its own fields, each with a description.

    `QUICK` and `FULL` hold the values that ``--quick`` and ``--full`` put in place of the defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    QUICK: ClassVar[Mapping[str, Any]] = {}
    FULL: ClassVar[Mapping[str, Any]] = {}

    seed: Annotated[
        int, Field(ge=0, lt=2**31 - 10_000, description="base seed: replicates count up from it")
    ] = 0
    seeds: Annotated[int, Field(ge=2, le=10_000, description="replicates of every claim")] = 16
    level: Annotated[float, Field(ge=QUICK_LEVEL, lt=1, description="confidence of intervals")] = (
        LEVEL
    )

    @property
    def replicates(self) -> list[int]:
        """The seeds of the replicates."""
        return [self.seed + i for i in range(self.seeds)]

    @property
    def pilots(self) -> list[int]:
        """Seeds for tuning, which no replicate has."""
        return [2**31 + self.seed + i for i in range(4)]

    @classmethod
    def chosen(cls, mode: str, given: Mapping[str, Any]) -> Settings:
        """Return the settings of a mode ("default", "quick", "full") with values put in.

        Raises
        ------
        InputError
            For an unknown key or a value out of range; all at once.
        """
        values = {"quick": cls.QUICK, "full": cls.FULL}.get(mode, {})
        if mode == "quick":
            values = {"level": QUICK_LEVEL} | dict(values)
        known = list(cls.model_fields)
        unknown = [f"--set {k}: unknown key{suggest(k, known)}" for k in given if k not in known]
        try:
            made = cls(**(dict(values) | {k: v for k, v in given.items() if k in known}))
        except ValidationError as error:
            wrong = [f"--set {line}" for line in describe(error, "", known)]
            for key in ("seed", "seeds"):
                wrong = [line.replace(f"--set {key}:", f"--{key}:", 1) for line in wrong]
            raise InputError(*unknown, *wrong) from None
        if unknown:
            raise InputError(*unknown)
        if made.level >= LEVEL and made.seeds < MIN_REPLICATES:
            raise InputError(
                f"--seeds: {made.seeds}: must be at least {MIN_REPLICATES} for verdicts at level "
                f"{LEVEL}; fewer are enough with --quick"
            )
        return made
