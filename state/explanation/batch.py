"""Explanations that concern the batch as a whole: letters, lag, pause, deadlines, and the wait for its essays."""

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseStatus
from schemas.internal.status import Deadline
from state.explanation.model import Facts, Finding, Lag, WhyCode, under_way
from state.phrases import clock, counted, duration

BEHIND_S = 5.0
"""Seconds of lag from which on a batch is said to wait for the processes rather than for a peer."""
LATE_MS = 10_000
"""Milliseconds after a deadline from which on it counts as not acted on."""

_INBOX = ("inbox", "orchestrator")
_DEADLINES = {
    DeadlineKind.STALLED: "The time after which {phase} counts as stalled",
    DeadlineKind.PHASE: "The deadline of {phase}",
    DeadlineKind.RETRY_BACKOFF: "The backoff of {phase}",
    DeadlineKind.NEVER_PROVISIONED: "The deadline for its essays",
    DeadlineKind.HOLD: "The hold of {phase}",
}


def letters(facts: Facts, rest: Finding) -> Finding | None:
    """Open dead letters, with what would be told without them."""
    if not facts.open_letters:
        return None
    one = facts.open_letters == 1
    sentence = (
        f"{counted(facts.open_letters, 'dead letter')} of this batch {'is' if one else 'are'} open: replay or discard "
        f"{'it' if one else 'them'}. Otherwise: {_continued(rest.sentence)}"
    )
    what = f"a person: {counted(facts.open_letters, 'dead letter')}"
    return rest._replace(code=WhyCode.DEAD_LETTER_OPEN, sentence=sentence, waiting_for=what)


def pipe(facts: Facts, rest: Finding) -> Finding | None:
    """A router or orchestrator that is behind, with what is known so far."""
    if facts.batch.status.terminal:
        return None
    behind = [lag for lag in facts.lags if lag.where in ("router", *_INBOX) and lag.seconds >= BEHIND_S]
    if not behind:
        return None
    worst = max(behind, key=lambda lag: lag.seconds)
    since = facts.now_ms - int(worst.seconds * 1000)
    sentence = (
        f"{_lagging(worst)}: the next event of this batch may already be in Kafka. So far: {_continued(rest.sentence)}"
    )
    who = "router" if worst.where == "router" else "orchestrator"
    return rest._replace(
        code=WhyCode.PIPE_BEHIND, since_ms=since, sentence=sentence, waiting_for=f"the {who} to catch up"
    )


def paused(facts: Facts) -> Finding | None:
    """A pause: no command goes out and no deadline runs."""
    pause = facts.batch.pause
    if pause is None:
        return None
    running = [
        f"{name} still works on {counted(under_way(view), 'essay')}"
        for name, view in facts.requested()
        if view.status is PhaseStatus.DISPATCH_INITIATED
    ]
    why = f" ({pause.reason})" if pause.reason else ""
    sentence = (
        f"Paused by {pause.by} {duration(facts.now_ms - pause.since_ms)} ago{why}: no phase starts and no deadline runs"
    )
    sentence = "; ".join([sentence, *running]) + "."
    return Finding(WhyCode.PAUSED, pause.since_ms, sentence, "somebody to resume it")


def deadline_passed(facts: Facts) -> Finding | None:
    """A deadline that is over and still armed."""
    batch = facts.batch
    missed = [each for each in batch.deadlines if each.due_ms + LATE_MS < facts.now_ms]
    if batch.status.terminal or not missed:
        return None
    first = missed[0]
    what = _DEADLINES.get(first.kind, "A deadline of {phase}").format(phase=first.phase)
    sentence = (
        f"{what} passed {duration(facts.now_ms - first.due_ms)} ago and nothing has acted on it: the timekeeper or the "
        "router is behind or stopped."
    )
    return Finding(WhyCode.DEADLINE_PASSED, first.due_ms, sentence, "the timekeeper")


def essays(facts: Facts) -> Finding | None:
    """A batch that has not started."""
    batch = facts.batch
    if not batch.status.waiting:
        return None
    matching = batch.status is BatchStatus.AWAITING_STUDENT_VALIDATION
    expected = counted(batch.counts.expected, "essay")
    since = f"registered {duration(facts.now_ms - batch.registered_ms)} ago"
    what = f"Waiting for the ready event of {expected}" if matching else f"Waiting for the content of {expected}"
    parts = [f"{what}: {since}"]
    if matching:
        parts[0] += ", its students are being matched"
    if batch.file_failures_total:
        parts[0] += f", {counted(batch.file_failures_total, 'file')} failed validation"
    due = _armed(batch.deadlines, DeadlineKind.NEVER_PROVISIONED)
    if due is not None:
        parts.append(f"fails at {clock(due, facts.now_ms)}")
    code = WhyCode.WAITING_FOR_READY if matching else WhyCode.WAITING_FOR_CONTENT
    waiting_for = "ready event" if matching else "content of its essays"
    then = "fails: its essays never came" if due is not None else ""
    return Finding(code, batch.registered_ms, "; ".join(parts) + ".", waiting_for, then, due)


def unknown(facts: Facts) -> Finding:
    """A status that this version does not know, or a batch in which nothing is under way."""
    batch = facts.batch
    sentence = (
        f"Nothing of this batch is under way as far as this version knows: its status is {batch.status.value}, and it "
        f"last changed {duration(facts.now_ms - batch.updated_ms)} ago."
    )
    return Finding(WhyCode.UNKNOWN, batch.updated_ms, sentence, "unknown")


def _armed(deadlines: tuple[Deadline, ...], kind: DeadlineKind) -> int | None:
    return next((each.due_ms for each in deadlines if each.kind is kind), None)


def _continued(sentence: str) -> str:
    """Return a sentence as the continuation of another one; one that begins with a phase's name stays as it is."""
    return sentence[:1].lower() + sentence[1:]


def _lagging(lag: Lag) -> str:
    behind = duration(lag.seconds * 1000)
    if lag.where == "router":
        return f"The router is {behind} behind on partition {lag.partition} of its inputs"
    return f"The orchestrator is {behind} behind on partition {lag.partition} of the inbox"
