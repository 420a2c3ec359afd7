"""`simdl profile`: where the time of a training's step goes."""

from __future__ import annotations

import json
from collections.abc import Callable

from simdl.commands.description import Request, plan
from simdl.commands.wording import in_options


def profile(request: Request, as_json: bool, say: Callable[[str], None]) -> None:
    """Print the profile of what `simdl train` would train.

    Raises
    ------
    InputError, StorageError
    """
    from simdl.profiling import profile as measured

    with in_options():
        asked = plan(request)
        data = asked.configuration.data(asked.seed)
        training = asked.configuration.build(data)
    for line in asked.guessed:
        say(line)
    net, rows = training.net, training.length(data.sizes[0])[0]
    say(f"{net.n_parameters:,} parameters, {net.dtype}, batches of {rows}, one thread")
    found = measured(training, data, asked.seed)
    print(json.dumps(found.table(), indent=1) if as_json else found)
