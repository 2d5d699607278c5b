"""How the peers are to behave: one frozen record, every field with its unit and default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from peers.topics import DEFAULT_PREFIX

Era = Literal["seed", "july", "head"]
ClassBatches = Literal["command", "associations", "never"]

ERAS: tuple[Era, ...] = get_args(Era)
CLASS_BATCHES: tuple[ClassBatches, ...] = get_args(ClassBatches)

_RATES = ("failed_essay_rate", "validation_failure_rate", "unaccounted_rate", "critical_rate", "repeat_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOptions:
    """Behaviour of the played peers. Rates are probabilities from 0 to 1, times are seconds.

    What happens to a batch depends on `seed` and the batch id alone, never on the order of arrival.
    """

    era: Era = "seed"
    """Whose shapes, topics, keys and habits are played."""
    seed: int = 0
    """Random seed."""
    latency: tuple[float, float] = (0.02, 0.2)
    """Shortest and longest time before an answer is sent."""
    validation_failure_rate: float = 0.0
    """Chance of each file to fail validation, so that its slot stays empty."""
    failed_essay_rate: float = 0.0
    """Chance of each essay to fail in each phase."""
    unaccounted_rate: float = 0.0
    """Chance of each essay that succeeded in a phase to be in neither list of the outcome."""
    critical_rate: float = 0.0
    """Chance of each (batch, phase) to fail as a whole."""
    repeat_rate: float = 0.0
    """Chance of each event to be sent again later; CJ outcomes and ready events sometimes under a new event id."""
    repeat_delay: tuple[float, float] = (0.0, 2.0)
    """Shortest and longest time between an event and its repeat."""
    reorder_spread: float = 0.0
    """Longest extra delay of each answer, drawn for each; interleaves batches, keeps a batch's own events causal."""
    keyless: bool | None = None
    """Send without Kafka keys; None means the era's habit (seed and july: no key, head: the batch id)."""
    class_batches: ClassBatches = "command"
    """Head's class batches get their ready event on the student matching command, on the confirmed
    associations alone, or never."""
    judges_ends: bool = True
    """Whether a batch's end is held against the peers' own outcomes; false where workers run its phases."""
    silent: bool = False
    """Report content and readiness, and answer no command."""
    topic_prefix: str = DEFAULT_PREFIX
    """Stands in every topic's name where `huleedu` does by default."""
    read_uncommitted: bool = True
    """Read what aborted transactions wrote, as every original consumer does."""
    from_beginning: bool = False
    """Start at the first offset of each topic instead of its end."""
    kafka: Mapping[str, str] = field(default_factory=dict)
    """Further librdkafka settings for consumer and producer (SASL, TLS)."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for an unknown era, a rate outside 0..1 or a span that runs backwards."""
        if self.era not in ERAS:
            raise ValueError(f"era must be one of {', '.join(ERAS)}, not {self.era!r}")
        if self.class_batches not in CLASS_BATCHES:
            raise ValueError(f"class_batches must be one of {', '.join(CLASS_BATCHES)}, not {self.class_batches!r}")
        for name in _RATES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)!r}")
        for name in ("latency", "repeat_delay"):
            low, high = getattr(self, name)
            if not 0.0 <= low <= high:
                raise ValueError(f"{name} must be two times, 0 <= shortest <= longest, not {low!r}, {high!r}")
        if self.reorder_spread < 0.0:
            raise ValueError(f"reorder_spread must not be negative, but is {self.reorder_spread!r}")

    def real_name(self, topic: str) -> str:
        """The name of `topic` under the prefix."""
        return self.topic_prefix + topic.removeprefix(DEFAULT_PREFIX)

    @property
    def sends_keys(self) -> bool:
        """Whether events carry the batch id as their Kafka key."""
        return self.era == "head" if self.keyless is None else not self.keyless
