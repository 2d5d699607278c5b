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
from tests.simulation.reference_phases import (
    MOST_ATTEMPTS,
    advance,
    after,
    arm,
    end,
    expire_hold,
    inputs,
    miss_deadline,
    new_phase,
    outcome,
    retry,
    start_attempt,
)

REMEMBERED = 32
"""How many requests and validation errors of a batch are remembered."""
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

    def judge(self, event: Event, *, oversized: bool = False) -> Verdict:
        """Apply an event. `oversized` says that its result was found too large, which a model of rules cannot know."""
        if oversized:
            return self._oversized(event)
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

    def _oversized(self, event: Event) -> Verdict:
        batch = self.batch
        if batch is None or batch["ended"]:
            return Verdict("quarantined", "oversized", [])
        batch["published"] = []
        end(batch, event.time_ms, "failed_critically", "oversized", phases="failed", lost="oversized")
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
            "ready": {},  # essay -> uploaded text, in the order of that event
            "provisioned": False,
            "validations": [],
            "files": 0,
            "answers": [(body.request_id, body.fingerprint)],
            "pause": None,
            "clocks": [],
            "phases": {phase.name: new_phase(phase.name in body.requested_phases) for phase in body.pipeline.phases},
            "published": [],
        }
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


# ------------------------------------------------------------------------------------------------------------- requests


def request(batch: dict[str, Any], event: Event, body: Any) -> tuple[str, str]:
    """Owner, answered before, then the rules of the request; each answer is remembered but that to a stranger."""
    owner = (body.principal.organisation, body.principal.subject) == batch["owner"]
    if not owner and "batches:any-owner" not in body.principal.scopes:
        return "refused", "foreign_batch_id"
    for request_id, fingerprint in batch["answers"]:
        if request_id == body.request_id:
            return (
                ("duplicate", "request_already_decided")
                if fingerprint == body.fingerprint
                else ("refused", "key_reused")
            )
    if isinstance(body, RegisterBatch) and body.fingerprint == batch["fingerprint"]:
        return "duplicate", "same_registration"
    refusal = _refusal(batch, body)
    batch["answers"] = [*batch["answers"], (body.request_id, body.fingerprint)][-REMEMBERED:]
    if refusal is not None:
        return "refused", refusal
    return "applied", _obey(batch, event, body)


def _refusal(batch: dict[str, Any], body: Any) -> str | None:
    if isinstance(body, RegisterBatch):
        return "key_reused"
    if body.if_version is not None and body.if_version != batch["version"]:
        return "version_changed"
    if batch["ended"]:
        return "batch_ended"
    if isinstance(body, PauseBatch) and batch["pause"] is not None:
        return "already_paused"
    if isinstance(body, ResumeBatch) and batch["pause"] is None:
        return "not_paused"
    if isinstance(body, RetryPhase):
        return retry_refusal(batch, body)
    return None


def retry_refusal(batch: dict[str, Any], body: RetryPhase) -> str | None:
    """Return why a phase cannot be retried, or None."""
    if batch["status"] in ("awaiting_content_validation", "awaiting_student_validation"):
        return "not_started"
    if body.phase not in batch["requested"]:
        return "phase_not_requested"
    in_the_way = _in_the_way(batch, body)
    if in_the_way is not None:
        return in_the_way
    if not isinstance(body.essays, str) and set(body.essays) - set(inputs(batch, body.phase)):
        return "unknown_essays"
    if any(len(batch["phases"][name]["attempts"]) >= MOST_ATTEMPTS for name in (body.phase, *after(batch, body.phase))):
        return "too_many_attempts"
    return None


def _in_the_way(batch: dict[str, Any], body: RetryPhase) -> str | None:
    """Return why the status of a phase does not allow the retry, or None."""
    phase = batch["phases"][body.phase]
    status = phase["status"]
    if status == "pending_dependencies":
        return "phase_running"
    if (
        status == "dispatch_initiated"
        and body.essays != "all"
        and not set(phase["attempts"][-1]["essays"]) <= set(body.essays)
    ):
        return "phase_running"
    if status == "completed_successfully":
        return "phase_succeeded"
    if status == "skipped_due_to_dependency_failure" or not body.essays:
        return "nothing_failed"
    return None


def _obey(batch: dict[str, Any], event: Event, body: Any) -> str:
    now = event.time_ms
    if isinstance(body, CancelBatch):
        end(batch, now, "cancelled", None, phases="cancelled", lost="cancelled")
        return "batch_cancelled"
    if isinstance(body, PauseBatch):
        batch["pause"] = now
        for clock in batch["clocks"]:
            clock["due"] = max(0, clock["due"] - now)
        return "batch_paused"
    if isinstance(body, ResumeBatch):
        batch["pause"] = None
        for clock in batch["clocks"]:
            clock["due"] += now
        advance(batch, now)
        return "batch_resumed"
    retry(batch, now, body)
    return "retry_started"


# ------------------------------------------------------------------------------------------------------------ the start


def ready(batch: dict[str, Any], event: Event, body: EssaysReady) -> tuple[str, str]:
    """Start the batch on the essays named that are its own."""
    if batch["named"] is not None:
        again = {(ref.essay_id, ref.text_storage_id) for ref in body.essays} == batch["named"]
        return "duplicate", "ready_again" if again else "conflicting_ready"
    if batch["ended"]:
        return "stale", "batch_ended"
    own = _own(batch, body.essays)
    if body.essays and not own:
        return "stale", "foreign_essays_only"
    batch["files"] += len(body.failures)
    return "applied", _begin(batch, event, own, body.essays)


def provisioned(batch: dict[str, Any], event: Event, body: ContentProvisioned) -> tuple[str, str]:
    """Start a guest batch; have the essays of a class batch matched to its students."""
    if batch["ended"]:
        return "stale", "batch_ended"
    if batch["status"] == "processing_pipelines":
        return "stale", "already_started"
    if batch["provisioned"]:
        return "stale", "already_provisioned"
    own = _own(batch, body.essays)
    if body.essays and not own:
        return "stale", "foreign_essays_only"
    if not (batch["class"] and own):
        return "applied", _begin(batch, event, own, body.essays)
    batch["provisioned"] = True
    batch["status"] = "awaiting_student_validation"
    batch["published"].append({"kind": "command_student_matching", "essays": list(own.items())})
    return "applied", "student_matching_started"


def validation(batch: dict[str, Any], event: Event, body: ValidationFailed) -> tuple[str, str]:
    """Note files that failed validation; a critical failure ends a batch that has not started."""
    facts = (
        body.critical,
        body.total,
        {(one.code, one.message, one.file_name, one.essay_id) for one in body.failures},
    )
    if facts in batch["validations"]:
        return "duplicate", "validation_failures_already_recorded"
    if batch["ended"]:
        return "stale", "batch_ended"
    batch["validations"] = [*batch["validations"], facts][-REMEMBERED:]
    batch["files"] += max(body.total, len(body.failures))
    if body.critical and batch["status"] != "processing_pipelines":
        end(
            batch,
            event.time_ms,
            "failed_critically",
            "critical_validation_failure",
            phases="cancelled",
            lost="no_outcome",
        )
        return "applied", "critical_validation_failure"
    return "applied", "validation_failures_recorded"


def _own(batch: dict[str, Any], essays: Any) -> dict[str, str]:
    own: dict[str, str] = {}
    for ref in essays:
        if ref.essay_id in batch["slots"] and ref.essay_id not in own:
            own[ref.essay_id] = ref.text_storage_id
    return own


def _begin(batch: dict[str, Any], event: Event, own: dict[str, str], named: Any) -> str:
    batch["named"] = {(ref.essay_id, ref.text_storage_id) for ref in named}
    batch["ready"] = own
    if not own:
        end(batch, event.time_ms, "failed_critically", "no_essays", phases="cancelled", lost="no_outcome")
        return "no_essays"
    batch["status"] = "processing_pipelines"
    batch["clocks"] = []
    advance(batch, event.time_ms)
    return "pipeline_started"


# ------------------------------------------------------------------------------------------------------------ deadlines


def deadline(batch: dict[str, Any], event: Event, body: DeadlineReached, struck: list[str]) -> tuple[str, str]:
    """Act on every armed clock that is due, the earliest first."""
    if batch["pause"] is not None:
        return "stale", "batch_paused"
    due = [] if body.due_ms > event.time_ms else [one for one in batch["clocks"] if one["due"] <= body.due_ms]
    if not due:
        return "stale", "batch_ended" if batch["ended"] else "deadline_not_armed"
    reasons: list[str] = []
    for clock in sorted(due, key=lambda one: (one["due"], one["kind"], one["phase"])):
        if clock in batch["clocks"]:
            batch["clocks"].remove(clock)
            struck.append(clock["kind"])
            reasons.append(_strike(batch, event.time_ms, clock))
    return "applied", reasons[-1]


def _strike(batch: dict[str, Any], now: int, clock: dict[str, Any]) -> str:
    kind, phase = clock["kind"], clock["phase"]
    if kind == "stalled":
        batch["phases"][phase]["stalled"] = True
        return "phase_stalled"
    if kind == "phase":
        miss_deadline(batch, now, phase)
        return "phase_deadline_missed"
    if kind == "retry_backoff":
        start_attempt(batch, now, phase)
        return "retry_started"
    if kind == "hold":
        expire_hold(batch, now, phase)
        return "hold_expired"
    if kind == "never_provisioned":
        end(batch, now, "failed_critically", "never_provisioned", phases="cancelled", lost="no_outcome")
        return "never_provisioned"
    return "batch_purged"
