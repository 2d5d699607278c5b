"""What the orchestrator's metrics and health are told about each decided record."""

from prometheus_client import Counter

from runtime.health import Health
from runtime.metrics import Metrics
from schemas.dead_letters import CODE
from schemas.statuses import Disposition
from schemas.topics import Topic
from topology.deciding import Decided


class Observing:
    """Counts decisions and records. Called for every inbox record, so each counter is looked up once."""

    def __init__(self, metrics: Metrics, health: Health, inbox: str) -> None:
        self._health = health
        self._inbox = inbox
        self._read = metrics.records_read.labels(Topic.INBOX.value)
        self._written = {topic: metrics.records_written.labels(topic.value) for topic in Topic}
        self._decisions = metrics.decisions
        self._dead_letters = metrics.dead_letters
        self._decision: dict[tuple[str, Disposition], Counter] = {}

    def __call__(self, decided: Decided) -> None:
        """Count one record."""
        self._health.processed(self._inbox, decided.partition, decided.time_ms)
        self._read.inc()
        key = (decided.kind, decided.disposition)
        counter = self._decision.get(key)
        if counter is None:
            # Kinds come from the closed union of events, or are empty: the number of series stays bounded.
            counter = self._decision[key] = self._decisions.labels(decided.kind or "unreadable", decided.disposition)
        counter.inc()
        for record in decided.records:
            self._written[record.topic].inc()
            if record.topic is Topic.DEAD_LETTERS:
                self._dead_letters.labels(dict(record.headers)[CODE].decode()).inc()
