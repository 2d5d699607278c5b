"""Handles SIGTERM from the start of a command; it is imported before anything that takes time.

Process 1 of a container has no default signal handlers: without this one, a SIGTERM that arrives while Python imports
is lost, and the process starts. Code that runs later sets its own handlers.
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
