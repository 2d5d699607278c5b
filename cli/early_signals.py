"""SIGTERM obeyed from the first moment of a command; imported before anything that takes time.

Process 1 of a container has no default for a signal: without a handler one that comes while Python still imports is
lost, and the process starts as if nobody had asked it to stop. What runs later sets handlers of its own.
"""

import os
import signal


def _leave(number: int, _frame: object) -> None:
    os._exit(128 + number)


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM raises `KeyboardInterrupt`, as Ctrl-C does: for commands that clean up after themselves."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, _leave)
