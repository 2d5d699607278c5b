"""Immediate exits, for cases in which an orderly end would commit or abort the wrong work."""

import faulthandler
import logging
import os
import sys
from collections.abc import Callable
from threading import Timer
from typing import NoReturn

from runtime import exit_codes
from runtime.logs import get_logger
from runtime.process_report import ProcessReporter
from schemas.errors import Code, ConfigurationError, OrchestratorError, StateError

_LAST_WORDS_S = 4.0
_REPORT_S = 2.0
"""Seconds that the last report may take."""

Leave = Callable[[int, OrchestratorError], NoReturn]


def leave(code: int, error: OrchestratorError) -> NoReturn:
    """End the process at once: no clean-up runs that could commit, flush or abort anything of its work.

    Its last report is written, if Kafka takes it within a second or two: a process that tells its end is not missing.
    """
    get_logger().critical("left", code=error.code, reason=error.message, exit_code=code)
    sys.stderr.write(f"{error}\n")
    ProcessReporter.tell_end(error, _REPORT_S)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_lifeless(error: OrchestratorError, *, leave: Leave = leave) -> NoReturn:
    """End a process that no longer does its work; the traceback of each thread goes to stderr."""
    at_last = Timer(_LAST_WORDS_S, os._exit, (exit_codes.NO_LIFE,))  # in case logging itself hangs
    at_last.daemon = True
    at_last.start()
    faulthandler.dump_traceback()
    leave(exit_codes.NO_LIFE, error)


def lost_partitions(count: int) -> StateError:
    """Return the error for lost partitions (guard H1)."""
    return StateError(
        f"{count} partitions were lost: this process did not answer its group for longer than the session timeout, "
        "and another may own them now. What it has not committed is dropped.",
        code=Code.PARTITIONS_LOST,
        next_step="None: a supervisor starts the process again. If it repeats, look for pauses of the host.",
    )


def unknown_commit(cause: object) -> StateError:
    """Return the error for a commit whose outcome is unknown."""
    return StateError(
        f"Kafka did not say whether a transaction was committed: {cause}",
        code=Code.COMMIT_UNKNOWN,
        next_step="None: a supervisor starts the process again, which finds out. If it repeats, check the brokers.",
    )


def instance_taken(cause: object) -> ConfigurationError:
    """Return the error for another process that has joined the group under this one's instance name."""
    return ConfigurationError(
        f"Another process of this kind runs with the same BATCH_ORCHESTRATOR_SERVICE_INSTANCE, and has taken over: "
        f"{cause}. What this process has not committed is dropped.",
        code=Code.INSTANCE,
        next_step="Give each process of a kind an INSTANCE of its own. None where the other one replaces this process.",
    )


def fenced(cause: object) -> StateError:
    """Return the error of a process that Kafka has fenced off, without a proof of another one of the same name."""
    return StateError(
        f"Kafka has fenced this process off: {cause}. It was paused, or a broker answered it late; no other process of "
        "the same BATCH_ORCHESTRATOR_SERVICE_INSTANCE has been seen.",
        code=Code.FENCED,
        next_step="None: a supervisor starts the process again. If it repeats, give each process of a kind an "
        "INSTANCE of its own.",
    )
