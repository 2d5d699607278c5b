"""Orderly shutdown on SIGTERM and SIGINT, at any time from the start of a process.

The stream library sets its own handlers when it runs, and ignores a stop that arrives while it starts. Signals are
therefore read from the interpreter's wake-up descriptor, which works with any handler and while the main thread is
inside a library call; and the stop is requested again until the process has ended.
"""

import faulthandler
import os
import signal
import socket
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from runtime import exit_codes

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_REPEAT_S = 0.1
_START_GRACE_S = 2.0


class Shutdown:
    """Turns signals into calls that stop the process; a context manager of the main thread.

    Before any work runs, nothing is uncommitted: the process exits with `exit_code` after two seconds at most. Running
    work gets `limit_s` seconds to commit or abort; with the default setting a stop takes at most ten seconds.
    """

    def __init__(self, limit_s: float, leave: Callable[[int], None] = os._exit) -> None:
        self.asked = Event()
        """Set when the process has been asked to stop."""
        self.exit_code = exit_codes.OK
        """Exit code of the process when it stops in order."""
        self._ended = Event()
        self._limit_s = limit_s
        self._leave = leave
        self._lock = Lock()
        self._stop: Callable[[], None] | None = None
        self._reader, self._writer = socket.socketpair()
        self._writer.settimeout(0)

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        Thread(target=self._watch, name="stopping", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        self._ended.set()
        self._writer.close()
        if self.asked.is_set():
            self._reader.close()

    def runs(self, stop: Callable[[], None]) -> None:
        """Register `stop`, which ends the work in order; it may be called repeatedly, and from another thread."""
        with self._lock:
            self._stop = stop

    def ask(self) -> None:
        """Stop as a signal would."""
        self._writer.send(bytes([signal.SIGTERM]))

    def _watch(self) -> None:
        while received := self._reader.recv(64):
            if any(number in _SIGNALS for number in received):
                self.asked.set()
                break
        if self.asked.is_set():
            self._stop_repeatedly()  # the reader stays open: a second signal must find it

    def _stop_repeatedly(self) -> None:
        waited = 0.0
        while not self._ended.wait(_REPEAT_S):
            waited += _REPEAT_S
            with self._lock:
                stop = self._stop
            if stop is not None:
                stop()
            elif waited > _START_GRACE_S:
                self._leave(self.exit_code)
            if waited > self._limit_s:
                faulthandler.dump_traceback()  # shows on stderr what each thread waits for
                self._leave(exit_codes.FAULT)
