"""The reference model: a second, plain account of the rules, to hold the product's decisions against.

It shares no code with `state/`: dicts, sets and loops, written from docs/architecture.md. It is fed the committed inbox
records of one batch id, says of each which disposition and reason it must have and what it must publish, and keeps what
the batch must look like afterwards. Requests, start and deadlines are here, phases in `reference_phases`.
"""

from typing import Any, NamedTuple

from schemas import ids
from schemas.internal.events import (
    CancelBatch,
    ContentProvisioned,
    DeadlineReached,
    EssaysReady,
    Event,
    PauseBatch,
    PhaseConcluded,
    RegisterBatch,
    ResumeBatch,
    RetryPhase,
    ValidationFailed,
)
from tests.simulation.reference_deadlines import deadline
from tests.simulation.reference_graph import in_order
from tests.simulation.reference_phases import arm, end, new_phase, outcome
from tests.simulation.reference_requests import request
from tests.simulation.reference_start import provisioned, ready, validation

REQUESTS = (RegisterBatch, CancelBatch, PauseBatch, ResumeBatch, RetryPhase)


class Verdict(NamedTuple):
    """What must come of an inbox record."""

    disposition: str
    reason: str
    effects: list[dict[str, Any]]
    """What is published, in this order."""


class Reference:
    """One batch id. `batch` is None where no batch exists; otherwise a dict of all that the rules look at."""

    def __init__(self, batch_id: str) -> None:
        self.batch_id = batch_id
        self.batch: dict[str, Any] | None = None
        self.struck: list[str] = []
        """Kinds of the clocks that have acted; for whoever counts them."""

    def judge(self, event: Event, oversized: str = "") -> Verdict:
        """Apply an event.

        Sizes are no matter of rules, so `oversized` says what came of a result that was too large: `applied` where the
        batch ended because of it, `quarantined` where even that end was too large.
        """
        if oversized:
            return self._oversized(event, oversized)
        if self.batch is None:
            return self._without_batch(event)
        self.batch["published"] = []
        disposition, reason = self._judge(self.batch, event)
        published = self.batch["published"]
        if disposition == "applied":
            self.batch["version"] = event.version
            if reason == "batch_purged":
                self.batch = None
        return Verdict(disposition, reason, published)

    def _oversized(self, event: Event, oversized: str) -> Verdict:
        batch = self.batch
        if batch is None or batch["ended"] or oversized == "quarantined":
            return Verdict("quarantined", "oversized", [])
        batch["published"] = []
        end(batch, event.time_ms, "failed_critically", "oversized", phases="failed", why="oversized")
        batch["version"] = event.version
        return Verdict("applied", "oversized", batch["published"])

    # ------------------------------------------------------------------------------------------------ without a batch

    def _without_batch(self, event: Event) -> Verdict:
        body = event.body
        if isinstance(body, RegisterBatch):
            return self._register(event, body)
        if isinstance(body, REQUESTS):
            return Verdict("refused", "unknown_batch", [])
        if isinstance(body, DeadlineReached):
            return Verdict("stale", "no_batch_left", [])
        return Verdict("unknown", "unknown_batch", [])

    def _register(self, event: Event, body: RegisterBatch) -> Verdict:
        slots = [ids.slot_id(self.batch_id, event.version, index) for index in range(body.expected_essay_count)]
        self.batch = {
            "batch_id": self.batch_id,
            "version": event.version,
            "registered": event.version,
            "definition": {phase.name: phase for phase in body.pipeline.phases},
            "requested": list(body.requested_phases),
            "purge_after_s": body.pipeline.purge_after_s,
            "owner": (body.principal.organisation, body.principal.subject),
            "correlation": body.correlation_id,
            "fingerprint": body.fingerprint,
            "class": body.context.class_id is not None,
            "status": "awaiting_content_validation",
            "reason": None,
            "ended": False,
            "slots": slots,
            "named": None,  # the set of (essay, text) of the event that started the batch
            "ready": {},  # essay -> its uploaded text and its metrics, in the order of that event
            "provisioned": False,
            "unmatched": {},  # essays whose students are not matched yet
            "validations": [],
            "files": 0,
            "answers": [(body.request_id, body.fingerprint)],
            "pause": None,
            "clocks": [],
            "phases": {phase.name: new_phase(phase.name in body.requested_phases) for phase in body.pipeline.phases},
            "published": [],
        }
        self.batch["order"] = in_order(self.batch)
        arm(self.batch, event.time_ms, body.pipeline.provisioning_deadline_s * 1_000, "never_provisioned")
        return Verdict("applied", "registered", [{"kind": "batch_registered", "essays": slots}])

    # --------------------------------------------------------------------------------------------------- with a batch

    def _judge(self, batch: dict[str, Any], event: Event) -> tuple[str, str]:
        body = event.body
        if isinstance(body, REQUESTS):
            return request(batch, event, body)
        if isinstance(body, EssaysReady):
            return ready(batch, event, body)
        if isinstance(body, ContentProvisioned):
            return provisioned(batch, event, body)
        if isinstance(body, ValidationFailed):
            return validation(batch, event, body)
        if isinstance(body, PhaseConcluded):
            return outcome(batch, event, body)
        return deadline(batch, event, body, self.struck)
