"""A network: input shape, layers, initial weights, precision."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from simdl.errors import InputError
from simdl.initializers import initializer
from simdl.layers.structure import check_layers, lower_stack, stack_shapes
from simdl.parameters import Parameters
from simdl.spec import Count, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program

MAX_SEED = 2**32


def check_seed(seed: Any, key: str = "seed") -> int:
    """Return `seed` as an int; raise InputError unless 0 <= seed < 2^32."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < MAX_SEED:
        raise InputError(f"{key}: {seed!r}: must be a whole number from 0 to 2**32 - 1")
    return int(seed)


@spec
class Network:
    """Layers applied in order; a frozen description that may be shared and compared.

    Parameters
    ----------
    input_shape : shape of one sample, channels last, no batch axis
    layers : the layers, first to last
    init : initializer of the weights: a name ("he_normal"), a table or an instance
    dtype : "float32" or "float64"

    Raises
    ------
    InputError
        If a layer cannot take the shape it would get; the message names the layer.
    """

    input_shape: tuple[Count, ...]
    layers: tuple[Any, ...]
    initializer: Any = Field("glorot_normal", alias="init")  # `init` draws the parameters
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self) -> None:
        check_layers(self.layers, "layers")
        if not self.input_shape:
            raise InputError("input_shape: (): must have at least one axis, such as (64,)")
        object.__setattr__(self, "initializer", initializer(self.initializer))
        _ = self.shapes

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of one sample's output behind each layer."""
        return stack_shapes(self.layers, self.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one sample's output."""
        return self.shapes[-1]

    @cached_property
    def program(self) -> Program:
        """The network as a table of ops (compiles what is not compiled yet)."""
        from simdl.engine.program import Program

        program = Program(self.dtype, self.input_shape)
        program.output = lower_stack(self.layers, program, "", program.input)
        return program

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return self.program.n_parameters

    def summary(self) -> str:
        """Return a table for people, ``print(net.summary())``: layers, output shapes, parameters.

        A layer inside a Residual is set in below it and has its path as number, such as 3.0; what
        contains layers counts only parameters of its own.
        """
        program = self.program
        own = Counter[str]()
        for entry in program.parameters:
            own[entry.name.rpartition(".")[0]] += entry.size
        rows = [
            ("", "layer", "output shape", "parameters"),
            ("", "input", str(self.input_shape), ""),
        ]
        for path, kind in program.leaves:
            shape = program.layer_outputs[path].shape
            rows.append((path, "  " * path.count(".") + kind, str(shape), f"{own[path]:,}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  "
            f"{row[3]:>{widths[3]}}".rstrip()
            for row in rows
        ]
        rule, size = "-" * max(map(len, lines)), self.n_parameters * np.dtype(self.dtype).itemsize
        total = f"{self.n_parameters:,} parameters, {self.dtype}, {size:,} bytes"
        return "\n".join([lines[0], rule, *lines[1:], rule, total])

    def init_many(self, seeds: np.ndarray) -> np.ndarray:
        """Draw the initial parameters of many seeds, each as `init` draws its own.

        Parameters
        ----------
        seeds : (s,) integers, 0 to 2^32 - 1

        Returns
        -------
        ndarray (s, p)
            Flat parameters, in the network's precision; `wrap` names their parts.
        """
        from simdl.engine.passes import draw_many

        flat, _ = self.start(len(seeds))
        draw_many(flat, self.draws, np.asarray(seeds, np.int64))
        return flat

    def start(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what there is before weights are drawn, `count` times.

        Returns
        -------
        ndarray (count, p), ndarray (count, b)
            Flat parameters (weights 0, scales 1, biases 0), and running statistics (means 0,
            variances 1), in the network's precision.
        """
        program = self.program
        both = program.start(program.parameters), program.start(program.buffers)
        return np.tile(both[0], (count, 1)), np.tile(both[1], (count, 1))

    @cached_property
    def draws(self) -> Any:
        """Table by which compiled code draws the initial weights."""
        return self.program.draws(self.initializer)

    def wrap(self, flat: np.ndarray, buffers: np.ndarray | None = None) -> Parameters:
        """Name the parts of a flat vector (p,).

        The views are of the vector itself; of a copy, `.flat` of what is returned, where the vector
        is read-only or has gaps, as a column of a matrix has.

        Parameters
        ----------
        buffers : running statistics (b,); default those before a training

        Raises
        ------
        InputError
            If a vector has another length or precision than the network's.
        """
        program = self.program
        if buffers is None:
            buffers = program.start(program.buffers)
        made = Parameters(program.parameters, flat, Parameters(program.buffers, buffers))
        for key, part in (("flat", made), ("buffers", made.buffers)):
            if part.flat.dtype != self.dtype:
                raise InputError(f"{key}: {part.flat.dtype}: must be {self.dtype}, as the network")
        return made

    def init(self, seed: int = 0) -> Parameters:
        """Return freshly drawn parameters.

        Parameters
        ----------
        seed : 0 to 2^32 - 1; the same seed gives the same bits on every machine

        Returns
        -------
        Parameters
            A mapping of names ("0.weight") to writable views of `.flat` (p,); `.buffers` are the
            running statistics.

        Raises
        ------
        InputError
            If the seed is no such integer.
        """
        return self.wrap(self.init_many(np.array([check_seed(seed)]))[0])
