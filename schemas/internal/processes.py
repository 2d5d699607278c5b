"""Process records: what a process tells about itself every few seconds, on a compacted topic keyed by KIND/INSTANCE.

The newest record of a key tells how that process is. Readers take a process for missing when nothing has come for
three intervals and a few seconds, reckoned from when they received its last record, because clocks of hosts differ.
Two processes that were given the same kind and instance write under one key; their `start_id` tells them apart.
"""

from msgspec import Struct

from schemas.internal.enums import OpenEnum


class ProcessState(OpenEnum):
    """Whether a process goes on, as it says itself."""

    RUNNING = "running"
    STOPPED = "stopped"
    """It was asked to stop and has done so: nobody needs to look for it."""
    FAILED = "failed"
    """It has ended with an error, which stands in `problems`."""


class InputPosition(Struct, frozen=True, omit_defaults=True):
    """How far a process has read one assigned partition."""

    topic: str
    """Real name of the topic."""
    partition: int
    position: int
    """Next offset to fetch; negative where it is not known yet."""
    end: int
    """Last stable offset: read-committed consumers are given what is before it. Negative where not known yet."""
    lag_s: float = 0.0
    """Seconds for which its oldest unread record has been there; 0 when caught up."""


class OpenTransaction(Struct, frozen=True):
    """A transaction that keeps read-committed consumers from what follows it on a partition."""

    topic: str
    """Real name of the topic."""
    partition: int
    offset: int
    """Offset of the first record of the transaction: the last stable offset."""
    seconds: float
    """How long the last stable offset has stood there while the log went on."""


class ProcessProblem(Struct, frozen=True, omit_defaults=True):
    """One reason why a process does not do its work in time."""

    code: str
    """Stable error code, `ORC-…`."""
    message: str
    next_step: str = ""


class ProcessRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A process at one moment."""

    writer: int
    least_reader: int
    kind: str
    """`router`, `orchestrator`, `projector`, `timekeeper` or `api`."""
    instance: str
    """The setting INSTANCE."""
    start_id: str
    """UUID of this start of the process."""
    state: ProcessState
    host: str
    pid: int
    version: str
    """Version of the product."""
    settings_digest: str
    """SHA-256 of the settings that processes share, without secrets and addresses: equal where those are equal."""
    started_ms: int
    time_ms: int
    """When the record was written, by the clock of its host."""
    interval_s: float
    """Seconds between two records of this process."""
    alive: bool = False
    """Its processing loop has polled of late."""
    assigned: bool = False
    """It is a settled member of its consumer group, be it with no partition."""
    restored: bool = False
    """Local state has been read back."""
    restored_percent: int | None = None
    """How much of its local state has been read back, 0 to 99, while that is known and not all of it."""
    partitions: int = 0
    """Number of assigned partitions."""
    lag_s: float = 0.0
    """Seconds behind its input; 0 when caught up."""
    problems: tuple[ProcessProblem, ...] = ()
    """Why it is not ready; empty when it is."""
    open_transactions: tuple[OpenTransaction, ...] = ()
    """Transactions of others that hold back its input."""
    positions: tuple[InputPosition, ...] = ()
    gate_ms: int | None = None
    """Of a timekeeper: deadlines up to this time may be fired. None while the router has not passed its inputs yet."""

    @property
    def name(self) -> str:
        """Kind and instance, as the record's key has them."""
        return f"{self.kind}/{self.instance}"
