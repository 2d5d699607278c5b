"""What the peers saw and did not like."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from peers.rules import Rule
from peers.verdict import ExpectedBatch


@dataclass(frozen=True, slots=True)
class Complaint:
    """One broken rule, with the coordinates of the message that broke it."""

    rule: Rule
    text: str
    batch_id: str | None
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """A command none of whose essays could start; the peers refuse it in silence, as the original does."""

    batch_id: str
    phase: str
    event_id: str | None
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class PeerReport:
    """A snapshot of everything the peers have to say."""

    counts: dict[str, int]
    """How often what happened: messages read and sent by topic, repeats, refusals, errors."""
    complaints: tuple[Complaint, ...]
    refused: tuple[RefusedCommand, ...]
    unknown_batches: tuple[str, ...]
    """Batches that were commanded or completed without a registration that the peers saw: usually they
    were registered before the peers started."""
    expected: dict[str, ExpectedBatch]
    """Expected end of each registered batch, by batch id."""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.complaints

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {"ok": self.ok, **asdict(self)}
