"""Deep-learning training, simulated: textbook phenomena as experiments with verdicts.

The names below load what they need on first use, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from simdl.errors import InputError, StorageError

if TYPE_CHECKING:
    from simdl._jit import njit
    from simdl.configuration import with_values
    from simdl.curvature import gradient_noise_scale, sharpness
    from simdl.data import Data
    from simdl.fields import effective_receptive_field, receptive_field
    from simdl.firing import dead_units
    from simdl.functional import Pullback, forward, value_and_grad, vjp
    from simdl.gradients import GradientCheck, check_gradients
    from simdl.network import Network
    from simdl.parameters import Parameters
    from simdl.probes import Probe
    from simdl.result import Result, load
    from simdl.state_dict import from_torch, to_torch
    from simdl.sweep import Sweep
    from simdl.training import train

__version__ = "0.1.0"
RESULTS_VERSION = 1  # results of equal numbers compare

_HOMES = {
    "Data": "data",
    "GradientCheck": "gradients",
    "Network": "network",
    "Parameters": "parameters",
    "Probe": "probes",
    "Pullback": "functional",
    "Result": "result",
    "Sweep": "sweep",
    "check_gradients": "gradients",
    "dead_units": "firing",
    "effective_receptive_field": "fields",
    "forward": "functional",
    "from_torch": "state_dict",
    "gradient_noise_scale": "curvature",
    "load": "result",
    "njit": "_jit",
    "receptive_field": "fields",
    "sharpness": "curvature",
    "to_torch": "state_dict",
    "train": "training",
    "value_and_grad": "functional",
    "vjp": "functional",
    "with_values": "configuration",
}
_MODULES = (
    "data", "initializers", "layers", "losses", "optimizers", "probes", "schedules", "stopping",
    "theory",
)  # fmt: skip

__all__ = [
    "RESULTS_VERSION", "Data", "GradientCheck", "InputError", "Network", "Parameters", "Probe",
    "Pullback", "Result", "StorageError", "Sweep", "__version__", "check_gradients", "dead_units",
    "effective_receptive_field", "forward", "from_torch", "gradient_noise_scale", "load", "njit",
    "receptive_field", "sharpness", "to_torch", "train", "value_and_grad", "vjp", "with_values",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"simdl.{_HOMES[name]}"), name)
    elif name in _MODULES:
        return importlib.import_module(f"simdl.{name}")
    else:
        raise AttributeError(f"module 'simdl' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
