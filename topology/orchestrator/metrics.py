"""Metrics and health of the orchestrator, updated with each decided record."""

from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from schemas.internal.dead_letters import CODE
from schemas.topics import AnyTopic, Topic
from topology.orchestrator.processor import DecisionRecord

_INBOX = (Topic.INBOX.value,)
_LABELS: dict[AnyTopic, tuple[str]] = {topic: (topic.value,) for topic in Topic}


class DecisionMetrics:
    """Counts decisions and records. It runs for every inbox record, so it only adds to tallies."""

    def __init__(self, metrics: Metrics, health: ProcessHealth, inbox: str) -> None:
        self._health = health
        self._inbox = inbox
        self._read = metrics.tally(metrics.records_read).totals
        self._written = metrics.tally(metrics.records_written).totals
        self._decisions = metrics.tally(metrics.decisions).totals
        self._dead_letters = metrics.dead_letters

    def __call__(self, decided: DecisionRecord) -> None:
        """Count one record."""
        self._health.processed(self._inbox, decided.partition, decided.time_ms)
        self._read[_INBOX] += 1
        # Kinds come from the closed union of events, or are empty, so the number of series is bounded.
        self._decisions[decided.kind or "unreadable", decided.disposition] += 1
        for record in decided.records:
            # Topics of generic commands come from the definitions, so the number of series is bounded.
            self._written[_LABELS.get(record.topic) or (record.topic,)] += 1
            if record.topic is Topic.DEAD_LETTERS:
                self._dead_letters.labels(dict(record.headers)[CODE].decode()).inc()
