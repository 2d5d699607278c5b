"""Explanations that concern the phases of a batch that goes on."""

from schemas.internal.enums import DeadlineKind, PhaseStatus
from schemas.internal.status import PhaseView
from state.decision.graph import dependencies_in
from state.explanation.model import Facts, Finding, Usual, WhyCode, under_way
from state.phrases import clock, counted, duration, listed
from state.sentences import phase_reason

FEW_SAMPLES = 5
"""Fewer runs than this say nothing about how long a phase usually takes."""


def held(facts: Facts) -> Finding | None:
    """A phase that waits for a person, the one whose hold ends first."""
    found = _with_status(facts, PhaseStatus.HELD)
    if not found:
        return None
    name, view = min(found, key=lambda each: _due(facts, DeadlineKind.HOLD, each[0]) or 0)
    due = _due(facts, DeadlineKind.HOLD, name)
    sentence = f"{name} is held for a person: {_lost(view)}; retry it or cancel the batch"
    if due is not None:
        sentence += f", or it fails at {clock(due, facts.now_ms)}"
    then = "fails: its hold ends" if due is not None else ""
    sentence += _beside(facts, name)
    return Finding(WhyCode.PHASE_HELD, facts.batch.updated_ms, sentence + ".", f"a person: {name} is held", then, due)


def stalled(facts: Facts) -> Finding | None:
    """A running phase that is flagged as stalled."""
    found = [each for each in _running(facts) if each[1].stalled]
    return _commanded(facts, found[0], WhyCode.PHASE_STALLED, "Stalled: waiting for {phase}") if found else None


def overdue(facts: Facts) -> Finding | None:
    """A running phase that takes longer than 95 % of its recent runs."""
    found = [each for each in _running(facts) if _longer_than_usual(facts, each)]
    head = "Waiting longer than usual for {phase}"
    return _commanded(facts, found[0], WhyCode.OUTCOME_OVERDUE, head) if found else None


def retrying(facts: Facts) -> Finding | None:
    """A phase whose next attempt starts by itself, where no other phase runs."""
    found = _with_status(facts, PhaseStatus.WAITING_TO_RETRY)
    if not found:
        return None
    name, view = min(found, key=lambda each: each[1].retry_due_ms or 0)
    definition = facts.phase_definition(name)
    of = "" if definition is None else f" of {max(definition.max_attempts, view.attempt + 1)}"
    due = view.retry_due_ms
    when = "soon" if due is None else f"at {clock(due, facts.now_ms)}"
    sentence = f"{name} is tried again {when} (attempt {view.attempt + 1}{of}): {_lost(view)}{_beside(facts, name)}."
    since = facts.batch.updated_ms
    return Finding(WhyCode.WAITING_TO_RETRY, since, sentence, f"backoff of {name}", f"{name} is tried again", due)


def joining(facts: Facts) -> Finding | None:
    """A phase that waits for several phases, some of which have ended."""
    if facts.definition is None:
        return None
    running = dict(_running(facts))
    for name, _ in _with_status(facts, PhaseStatus.PENDING_DEPENDENCIES):
        before = dependencies_in(facts.definition, facts.batch.requested_phases, name)
        ended = tuple(each for each in before if facts.batch.phases[each].status.terminal)
        left = [each for each in before if each in running]
        if ended and left:
            has = "has" if len(ended) == 1 else "have"
            head = f"{name} waits for {{phase}}, {listed(ended)} {has} ended"
            return _commanded(facts, (left[0], running[left[0]]), WhyCode.WAITING_FOR_JOIN, head)
    return None


def commanded(facts: Facts) -> Finding | None:
    """A running phase whose outcome is not overdue, the one that has run the longest."""
    found = _running(facts)
    return _commanded(facts, found[0], WhyCode.WAITING_FOR_OUTCOME, "Waiting for {phase}") if found else None


def _commanded(facts: Facts, phase: tuple[str, PhaseView], code: WhyCode, head: str) -> Finding:
    """Explain by a running phase; `head` begins the sentence, with `{phase}` for the phase and its attempt."""
    name, view = phase
    since = view.started_ms if view.started_ms is not None else facts.batch.updated_ms
    head = head.format(phase=f"{name} (attempt {view.attempt})")
    sentence = f"{head}: {counted(under_way(view), 'essay')} commanded {duration(facts.now_ms - since)} ago"
    usual = _usual(facts, name)
    if usual is not None:
        sentence += f", usually {duration(usual.p50_ms)}"
        if code is WhyCode.OUTCOME_OVERDUE:
            sentence += f" (95 % within {duration(usual.p95_ms)})"
    due = _due(facts, DeadlineKind.PHASE, name)
    then = ""
    if due is not None:
        then = _at_the_deadline(facts, name)
        sentence += f"; {then} at {clock(due, facts.now_ms)}"
    return Finding(
        code,
        since,
        f"{sentence}{_beside(facts, name)}.",
        f"outcome of {name}",
        f"{then} at its deadline" if then else "",
        due,
    )


def _at_the_deadline(facts: Facts, phase: str) -> str:
    """Return what the deadline of a running attempt leads to, as far as the definition says it for certain."""
    definition = facts.phase_definition(phase)
    if definition is None or (definition.echoes_attempt and definition.max_attempts > 1):
        return "is given up"
    return "is held" if definition.on_failure == "hold" else "fails"


def _running(facts: Facts) -> list[tuple[str, PhaseView]]:
    """Return the phases with a running attempt, the one that has run the longest first."""
    found = _with_status(facts, PhaseStatus.DISPATCH_INITIATED)
    return sorted(found, key=lambda each: each[1].started_ms or 0)


def _with_status(facts: Facts, status: PhaseStatus) -> list[tuple[str, PhaseView]]:
    return [each for each in facts.requested() if each[1].status is status]


def _usual(facts: Facts, phase: str) -> Usual | None:
    usual = facts.usual.get(phase)
    return usual if usual is not None and usual.samples >= FEW_SAMPLES else None


def _longer_than_usual(facts: Facts, phase: tuple[str, PhaseView]) -> bool:
    usual, started = _usual(facts, phase[0]), phase[1].started_ms
    return usual is not None and started is not None and facts.now_ms - started > usual.p95_ms


def _due(facts: Facts, kind: DeadlineKind, phase: str) -> int | None:
    return next((each.due_ms for each in facts.batch.deadlines if each.kind is kind and each.phase == phase), None)


def _lost(view: PhaseView) -> str:
    """Return how many essays a phase has lost, and why it would have failed."""
    lost = f"{view.failed + view.unaccounted} of {counted(view.commanded, 'essay')} lost"
    return lost if view.reason is None else f"{phase_reason(view.reason)}, {lost}"


def _beside(facts: Facts, phase: str) -> str:
    """Return the other phases that are under way, as the end of a sentence."""
    others = tuple(name for name, _ in _running(facts) if name != phase)
    return f"; {listed(others)} {'runs' if len(others) == 1 else 'run'} beside it" if others else ""
