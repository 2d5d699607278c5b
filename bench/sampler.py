"""Looking at something again and again while something else is measured."""

from abc import ABC, abstractmethod
from threading import Event, Thread
from typing import Self


class Sampler(ABC):
    """Looks once at its begin, then every `every_s` seconds in a thread of its own, and once more at its end."""

    def __init__(self, name: str, every_s: float) -> None:
        self._every_s = every_s
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            self._look()

    @abstractmethod
    def _look(self) -> None:
        """Keep what is found now."""
