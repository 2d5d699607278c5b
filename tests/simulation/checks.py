"""What must hold of every committed step, and at the end of a history."""

from typing import Any, NamedTuple

from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.internal.events import EssayRef, Event
from schemas.internal.history import NO_VERSION, HistoryRecord
from schemas.internal.status import StatusRecord
from tests.simulation.reference import Reference, Verdict
from tests.simulation.reference_graph import verdicts
from tests.simulation.reference_phases import OVER

BATCH_STEPS = {
    "awaiting_content_validation": {
        "awaiting_student_validation",
        "processing_pipelines",
        "failed_critically",
        "cancelled",
    },
    "awaiting_student_validation": {"processing_pipelines", "failed_critically", "cancelled"},
    "processing_pipelines": {"completed_successfully", "completed_with_failures", "failed_critically", "cancelled"},
}
"""The statuses that may follow each other; nothing follows an end."""


class Mismatch(AssertionError):
    """The product and the reference disagree, or a promise is broken."""


class Said(NamedTuple):
    """What the product made of one inbox record, as its readers see it."""

    event: Event
    effects: tuple[Effect, ...]
    history: HistoryRecord
    status: StatusRecord | None


def require(holds: bool, what: str, *facts: object) -> None:  # noqa: FBT001
    """Raise `Mismatch` unless a promise holds."""
    if not holds:
        raise Mismatch(": ".join([what, *map(str, facts)]))


def check_step(said: Said, verdict: Verdict, reference: Reference, before: int) -> None:
    """Hold one step against the reference. `before` is the version that the reference had before it."""
    history = said.history
    found = (history.disposition.value, history.reason.code.value)
    require(found == verdict[:2], "disposition and reason", f"is {found}", f"should be {verdict[:2]}")
    require(history.based_on == before, "based_on", history.based_on, before)
    _check_effects(said.effects, verdict.effects)
    batch = reference.batch
    if history.disposition.value == "applied" and batch is not None:
        require(history.version == said.event.version > before, "version", history.version)
        require(said.status is not None, "an applied event publishes a status")
    else:
        require(said.status is None, "what is not applied publishes no status")
        require(not said.effects, "what is not applied publishes nothing")
        if history.disposition.value != "applied":
            require(history.version == before, "what is not applied keeps the version", history.version)
    for change in history.changes:
        if change.before is not None and not change.phase:
            require(change.after in BATCH_STEPS.get(change.before, ()), "status regress", change)
    if batch is not None and said.status is not None:
        _check_state(said.status, batch)


def version_of(reference: Reference) -> int:
    """Return the version that a batch has by the reference."""
    return NO_VERSION if reference.batch is None else int(reference.batch["version"])


def _check_effects(effects: tuple[Effect, ...], expected: list[dict[str, Any]]) -> None:
    plain = [_plain(effect) for effect in effects]
    require(len(plain) == len(expected), "effects", f"are {plain}", f"should be {expected}")
    for one, other in zip(plain, expected, strict=True):
        require(one == other, "effect", f"is {one}", f"should be {other}")


def _refs(essays: tuple[EssayRef, ...]) -> list[tuple[str, str, Any]]:
    return [(one.essay_id, one.text_storage_id, one.spellcheck_metrics) for one in essays]


def _plain(effect: Effect) -> dict[str, Any]:
    kind = str(effect.__struct_config__.tag)
    match effect:
        case BatchRegistered():
            return {"kind": kind, "essays": list(effect.essay_ids)}
        case CommandStudentMatching():
            return {"kind": kind, "essays": _refs(effect.essays)}
        case CommandPhase():
            return {
                "kind": kind,
                "phase": effect.phase,
                "attempt": effect.attempt,
                "essays": _refs(effect.essays),
                "correlation": effect.correlation_id,
            }
        case PipelineCompleted():
            return {
                "kind": kind,
                "status": effect.final_status.value,
                "phases": list(effect.completed_phases),
                "succeeded": effect.succeeded,
                "failed": effect.failed,
            }


def _check_state(status: StatusRecord, batch: dict[str, Any]) -> None:
    require(status.status.value == batch["status"], "batch status", status.status, batch["status"])
    for name, phase in batch["phases"].items():
        view = status.phases[name]
        require(view.status.value == phase["status"], f"status of {name}", view.status, phase["status"])
        require(view.attempt == len(phase["attempts"]), f"attempts of {name}", view.attempt, len(phase["attempts"]))
        require(view.reason == phase["reason"], f"reason of {name}", view.reason, phase["reason"])
        require(view.stalled == phase["stalled"], f"whether {name} is stalled", view.stalled, phase["stalled"])
    require(status.reason == batch["reason"], "reason of the batch", status.reason, batch["reason"])
    lost = {(one.phase, one.essay_id): one.reason.value for one in status.failed_essays}
    reasons = {(name, essay): why for name in batch["phases"] for essay, why in verdicts(batch, name).items() if why}
    require(lost == reasons, "lost essays", f"are {lost}", f"should be {reasons}")
    _check_clocks(status, batch)
    counts = status.counts
    require(counts.ready == counts.succeeded + counts.failed, "essays are conserved", counts)
    came_through = batch["succeeded"] if batch["ended"] else counts.ready - len({essay for _, essay in reasons})
    require(counts.succeeded == came_through, "essays that came through", counts, came_through, reasons)
    require(counts.ready == len(batch["ready"]), "ready essays", counts, len(batch["ready"]))
    require(status.file_failures_total == batch["files"], "file failures", status.file_failures_total, batch["files"])
    if batch["named"] is not None:
        require(counts.expected == counts.ready + counts.unaccounted, "slots are conserved", counts)
    for name, view in status.phases.items():
        if view.status.value in OVER and view.completed_ms is not None:
            total = view.succeeded + view.failed + view.unaccounted
            require(view.commanded == total, f"essays of {name} are conserved", view)


def _check_clocks(status: StatusRecord, batch: dict[str, Any]) -> None:
    """Compare the armed clocks. A retry's clock may vary by its jitter; the reference then takes the product's."""
    if batch["pause"] is not None:
        require(not status.deadlines, "a paused batch shows no deadline", status.deadlines)
        return
    armed = [(one.kind.value, one.phase, one.due_ms) for one in status.deadlines]
    clocks = batch["clocks"]
    require(len(armed) == len(clocks), "armed clocks", f"are {armed}", f"should be {clocks}")
    for clock in clocks:
        same = [due for kind, phase, due in armed if (kind, phase) == (clock["kind"], clock["phase"])]
        slack = clock.pop("slack", 0)
        found = [due for due in same if abs(due - clock["due"]) <= slack]
        require(bool(found), "armed clock", f"are {armed}", f"should have {clock}", f"within {slack} ms")
        clock["order"] += found[0] - clock["due"]
        clock["due"] = found[0]
