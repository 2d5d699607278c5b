"""Chance that does not depend on the order of arrival: one stream for each (seed, batch, what)."""

from __future__ import annotations

import hashlib
import random
import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws for one batch under one random seed; the same question always gets the same answer."""

    seed: int
    batch_id: str

    def stream(self, what: str) -> random.Random:
        """A fresh stream of random numbers for `what`."""
        return random.Random(f"{self.seed}:{self.batch_id}:{what}")

    def event_id(self, what: str) -> str:
        """The id of the event `what`, a version 4 UUID."""
        return str(uuid.UUID(bytes=self._digest(f"event-id:{what}"), version=4))

    def text_id(self, what: str) -> str:
        """A storage id as the content service gives them: 32 hexadecimal digits."""
        return self._digest(f"text-id:{what}").hex()

    def delay(self, what: str, span: tuple[float, float]) -> float:
        """A time in seconds within `span`."""
        return self.stream(f"delay:{what}").uniform(*span)

    def _digest(self, what: str) -> bytes:
        return hashlib.blake2b(f"{self.seed}:{self.batch_id}:{what}".encode(), digest_size=16).digest()
