"""How long tests wait for what must happen."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 300.0
"""A bound for failing, never a measurement: what takes this long on the busiest machine does not happen at all."""
_LOOK_S = 0.05

_Found = TypeVar("_Found")


def await_that(condition: Callable[[], _Found], what: str, seconds: float = PATIENCE_S) -> _Found:
    """Return the first true value of `condition`; for what has no event to wait for, such as another process."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{seconds:g} s have passed, and it is not so that {what}"
        time.sleep(_LOOK_S)
    return found
