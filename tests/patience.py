"""Timeouts of tests."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 300.0
"""Seconds after which a test fails. It is no measurement: an event that takes longer on any machine will not occur."""
_LOOK_S = 0.05

_Found = TypeVar("_Found")


def await_that(condition: Callable[[], _Found], what: str, seconds: float = PATIENCE_S) -> _Found:
    """Return the first true value of `condition`; for conditions without an event, such as those of another process."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{seconds:g} s have passed, and it is not so that {what}"
        time.sleep(_LOOK_S)
    return found
