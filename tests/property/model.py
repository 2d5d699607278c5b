"""A second, naive account of the rules, to hold the first against: sets and loops, no digests, no shared code.

It says of every event which disposition and reason it gets, and what the batch looks like afterwards.
"""

from dataclasses import dataclass, field

from schemas.internal.events import (
    Body,
    ContentProvisioned,
    DeadlineReached,
    EssayRef,
    EssaysReady,
    PhaseConcluded,
    RegisterBatch,
    Request,
    ValidationFailed,
)

Verdict = tuple[str, str]
"""Disposition and reason code."""
STALE_ENDED: Verdict = ("stale", "batch_ended")
LONG_AFTER_MS = 2**49
"""A time after all events."""


@dataclass
class Phase:
    """One phase: `waiting`, `running`, `whole`, `partial`, `failed`, `skipped`, `cut` or `off`."""

    name: str
    after: tuple[str, ...]
    strict: bool
    state: str
    commanded: dict[str, str] = field(default_factory=dict)
    survivors: set[str] = field(default_factory=set)
    gave: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    unaccounted: set[str] = field(default_factory=set)
    foreign: int = 0
    outcome: object = None

    @property
    def good(self) -> bool:
        return self.state in ("whole", "partial")

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "running")


def named(essays: tuple[EssayRef, ...]) -> set[tuple[str, str]]:
    """Return the set of essays and texts."""
    return {(ref.essay_id, ref.text_storage_id) for ref in essays}


class Model:
    """The expected state of one batch."""

    def __init__(self, registration: RegisterBatch) -> None:
        self.registration = registration
        self.slots: tuple[str, ...] = ()
        self.exists = False
        self.state = "waiting"
        self.answers: dict[str, tuple[str, Verdict]] = {}
        self.ready: dict[str, str] = {}
        self.start: set[tuple[str, str]] | None = None
        self.matched = False
        self.cancelled = False
        self.files = 0
        self.validations: list[object] = []
        self.empty = False
        self.phases = {
            phase.name: Phase(
                phase.name,
                phase.after,
                phase.on_partial_failure == "fail",
                "waiting" if phase.name in registration.requested_phases else "off",
            )
            for phase in registration.pipeline.phases
        }

    def judge(self, body: Body) -> Verdict:
        """Apply an event, and return its disposition and reason."""
        if isinstance(body, EssaysReady):
            return self._ready(body) if self.exists else ("unknown", "unknown_batch")
        if isinstance(body, ContentProvisioned):
            return self._provisioned(body) if self.exists else ("unknown", "unknown_batch")
        if isinstance(body, ValidationFailed):
            return self._invalid(body) if self.exists else ("unknown", "unknown_batch")
        if isinstance(body, PhaseConcluded):
            return self._outcome(body) if self.exists else ("unknown", "unknown_batch")
        if isinstance(body, DeadlineReached):
            return self._deadline(body) if self.exists else ("stale", "no_batch_left")
        return self._request(body)

    # ------------------------------------------------------------------------------------------------------- requests

    def _request(self, body: Request) -> Verdict:
        if not self.exists:
            if not isinstance(body, RegisterBatch):
                return ("refused", "unknown_batch")
            self.exists = True
            self.answers[body.request_id] = (body.fingerprint, ("applied", "registered"))
            return ("applied", "registered")
        if body.principal != self.registration.principal:
            return ("refused", "foreign_batch_id")
        if body.request_id in self.answers:
            same = self.answers[body.request_id][0] == body.fingerprint
            return ("duplicate", "request_already_decided") if same else ("refused", "key_reused")
        if isinstance(body, RegisterBatch) and body.fingerprint == self.registration.fingerprint:
            return ("duplicate", "same_registration")
        verdict = ("refused", "key_reused") if isinstance(body, RegisterBatch) else self._cancel()
        self.answers[body.request_id] = (body.fingerprint, verdict)
        return verdict

    def _cancel(self) -> Verdict:
        if self.state == "ended":
            return ("refused", "batch_ended")
        for phase in self.phases.values():
            if phase.state == "running":
                phase.state = "cut"
                phase.failed = set(phase.commanded)
        self.cancelled = True
        self._end()
        return ("applied", "batch_cancelled")

    def _deadline(self, body: DeadlineReached) -> Verdict:
        """Judge a deadline event: those of this world come before every deadline, or before their time."""
        early = body.due_ms > LONG_AFTER_MS
        return STALE_ENDED if self.state == "ended" and not early else ("stale", "deadline_not_armed")

    # ------------------------------------------------------------------------------------------------------ the start

    def _ready(self, body: EssaysReady) -> Verdict:
        if self.start is not None:
            return ("duplicate", "ready_again" if named(body.essays) == self.start else "conflicting_ready")
        if self.state == "ended":
            return STALE_ENDED
        return self._begin(body.essays)

    def _provisioned(self, body: ContentProvisioned) -> Verdict:
        if self.state == "ended":
            return STALE_ENDED
        if self.state == "running":
            return ("stale", "already_started")
        if self.matched:
            return ("stale", "already_provisioned")
        own = [ref for ref in body.essays if ref.essay_id in self.slots]
        if self.registration.context.class_id and own:
            self.matched = True
            return ("applied", "student_matching_started")
        return self._begin(body.essays)

    def _invalid(self, body: ValidationFailed) -> Verdict:
        if body in self.validations:
            return ("duplicate", "validation_failures_already_recorded")
        if self.state == "ended" and not self.empty:
            return STALE_ENDED
        self.validations.append(body)
        self.files += max(len(body.failures), body.total)
        if not body.critical or self.state != "waiting":
            return ("applied", "validation_failures_recorded")
        self.empty = True
        self._end()
        return ("applied", "critical_validation_failure")

    def _begin(self, essays: tuple[EssayRef, ...]) -> Verdict:
        own: dict[str, str] = {}
        for ref in essays:
            if ref.essay_id in self.slots and ref.essay_id not in own:
                own[ref.essay_id] = ref.text_storage_id
        if essays and not own:
            return ("stale", "foreign_essays_only")
        self.ready, self.start = own, named(essays)
        if not own:
            self.empty = True
            self._end()
            return ("applied", "no_essays")
        self.state = "running"
        self._move()
        return ("applied", "pipeline_started")

    # ------------------------------------------------------------------------------------------------------- progress

    def before(self, name: str) -> list[str]:
        """Return the requested phases that a phase waits for."""
        found: list[str] = []
        for earlier in self.phases[name].after:
            found += self.before(earlier) if self.phases[earlier].state == "off" else [earlier]
        return list(dict.fromkeys(found))

    def _move(self) -> None:
        for _ in self.phases:  # enough rounds for a skip to reach the end of any chain
            for phase in self.phases.values():
                if phase.state != "waiting":
                    continue
                causes = [self.phases[name] for name in self.before(phase.name)]
                if any(cause.state in ("failed", "skipped") for cause in causes):
                    phase.state = "skipped"
                elif all(cause.good for cause in causes):
                    phase.state = "running"
                    phase.commanded = self._inputs(phase.name, causes)
        if all(phase.over for phase in self.phases.values()):
            self._end()

    def _inputs(self, name: str, causes: list[Phase]) -> dict[str, str]:
        wanted = {essay for cause in causes for essay in cause.survivors} if causes else set(self.ready)
        return {essay: self._text(name, essay) for essay in self.ready if essay in wanted}

    def _text(self, name: str, essay: str) -> str:
        givers = [earlier for earlier in self.earlier(name) if essay in self.phases[earlier].gave]
        last = [giver for giver in givers if not any(giver in self.earlier(other) for other in givers)]
        order = self.order()
        return self.phases[max(last, key=order.index)].gave[essay] if last else self.ready[essay]

    def earlier(self, name: str) -> set[str]:
        """Return every phase that comes before a phase."""
        direct = self.phases[name].after
        return set(direct).union(*[self.earlier(one) for one in direct])

    def order(self) -> list[str]:
        """Return the phases, each after all that come before it, otherwise as listed."""
        found: list[str] = []
        while len(found) < len(self.phases):
            found.append(next(n for n in self.phases if n not in found and self.earlier(n) <= set(found)))
        return found

    def _end(self) -> None:
        self.state = "ended"
        for phase in self.phases.values():
            if phase.state == "waiting":
                phase.state = "cut"

    # ------------------------------------------------------------------------------------------------------- outcomes

    def _outcome(self, body: PhaseConcluded) -> Verdict:
        phase = self.phases.get(body.phase)
        if phase is None or phase.state == "off":
            return ("stale", "phase_not_in_pipeline")
        facts = (body.status, named(body.essays), set(body.failed_essay_ids))
        if facts == phase.outcome:
            return ("duplicate", "outcome_already_recorded")
        if self.state == "ended":
            return STALE_ENDED
        if phase.state != "running":
            return ("stale", "phase_not_running")
        mentioned = {ref.essay_id for ref in body.essays} | set(body.failed_essay_ids)
        if mentioned and not mentioned & phase.commanded.keys():
            return ("stale", "foreign_essays_only")
        phase.outcome = facts
        self._conclude(phase, body, mentioned)
        self._move()
        return ("applied", "phase_failed" if phase.state == "failed" else "phase_completed")

    def _conclude(self, phase: Phase, body: PhaseConcluded, mentioned: set[str]) -> None:
        phase.foreign = len(mentioned - phase.commanded.keys())
        texts = {ref.essay_id: ref.text_storage_id for ref in body.essays}
        for essay in phase.commanded:
            if essay in body.failed_essay_ids or not mentioned:
                phase.failed.add(essay)
            elif essay in texts:
                phase.survivors.add(essay)
                had = [self.ready[essay], *(self.phases[n].gave.get(essay) for n in self.earlier(phase.name))]
                if texts[essay] not in had:
                    phase.gave[essay] = texts[essay]
            else:
                phase.unaccounted.add(essay)
        lost = len(phase.failed) + len(phase.unaccounted)
        if not lost:
            phase.state = "whole"
        else:
            phase.state = "partial" if phase.survivors and not phase.strict else "failed"

    # ---------------------------------------------------------------------------------------------------- what it is

    @property
    def lost(self) -> set[str]:
        """Return the essays that some phase lost."""
        return {essay for phase in self.phases.values() for essay in phase.failed | phase.unaccounted}

    @property
    def final(self) -> str:
        """Return the terminal status of a batch that has ended."""
        if self.cancelled:
            return "cancelled"
        asked = [phase for phase in self.phases.values() if phase.state != "off"]
        if not any(phase.good for phase in asked):
            return "failed_critically"
        whole = all(phase.state == "whole" for phase in asked) and len(self.ready) == len(self.slots)
        return "completed_successfully" if whole else "completed_with_failures"
