"""Decisions on a batch as its page lists them: the newest first, what was ignored folded."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from api.dashboard.views.links import decision_url
from api.dashboard.views.words import Tone, batch_status_tone, disposition_tone, phase_status_tone
from schemas.ids import VERSIONS_PER_GENERATION
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus
from schemas.internal.history import Change, HistoryRecord
from state.sentences import sentence

_IGNORED = frozenset({Disposition.DUPLICATE, Disposition.STALE})
_FOLD_FROM = 2
"""Ignored decisions in a row from which on they are folded."""
_KINDS = {
    "register": "registration",
    "cancel": "request to cancel",
    "pause": "request to pause",
    "resume": "request to resume",
    "retry": "request to retry",
    "essays_ready": "essays ready",
    "content_provisioned": "content provisioned",
    "validation_failed": "validation failed",
    "phase_concluded": "outcome of a phase",
    "deadline_reached": "deadline",
}


class ChangeRow(Struct, frozen=True, kw_only=True):
    """A status that a decision changed."""

    what: str
    before: Tone | None
    after: Tone


class DecisionRow(Struct, frozen=True, kw_only=True):
    """One decision."""

    position: int
    url: str
    time_ms: int
    offset: int
    partition: int
    tone: Tone
    kind: str
    """What was decided on, in words."""
    sentence: str
    by: str
    """Who asked; empty for what no person asked."""
    changes: tuple[ChangeRow, ...]
    effects: tuple[str, ...]


class DecisionGroup(Struct, frozen=True, kw_only=True):
    """Decisions in a row: one that counts, or several that were ignored."""

    rows: tuple[DecisionRow, ...]
    summary: str
    """What a fold says, such as `4 duplicates`; empty for a single decision."""


def position_of(record: HistoryRecord) -> int:
    """Return the place of a decision among those of its batch: the version that it gives the batch if it applies."""
    generation = max(record.version, record.based_on, 0) // VERSIONS_PER_GENERATION
    return generation * VERSIONS_PER_GENERATION + record.offset


def decision_row(record: HistoryRecord) -> DecisionRow:
    """Return a decision as one row."""
    position = position_of(record)
    return DecisionRow(
        position=position,
        url=decision_url(record.batch_id, position),
        time_ms=record.time_ms,
        offset=record.offset,
        partition=record.partition,
        tone=disposition_tone(record.disposition),
        kind=kind_of(record.kind),
        sentence=sentence(record),
        by="" if record.actor is None else record.actor.subject,
        changes=tuple(change_row(each) for each in record.changes),
        effects=tuple(_effect(each.kind, each.phase, each.topic) for each in record.effects),
    )


def kind_of(kind: str) -> str:
    """Return what an inbox record is, in words."""
    return _KINDS.get(kind, kind.replace("_", " ") or "record that cannot be read")


def change_row(change: Change) -> ChangeRow:
    """Return a change of a status, of the batch or of a phase."""
    if change.phase:
        before = None if change.before is None else phase_status_tone(PhaseStatus(change.before))
        return ChangeRow(what=change.phase, before=before, after=phase_status_tone(PhaseStatus(change.after)))
    before = None if change.before is None else batch_status_tone(BatchStatus(change.before))
    return ChangeRow(what="batch", before=before, after=batch_status_tone(BatchStatus(change.after)))


def decision_groups(records: Sequence[HistoryRecord]) -> tuple[DecisionGroup, ...]:
    """Return decisions, in the order given, with those that were ignored in a row in one group."""
    groups: list[DecisionGroup] = []
    ignored: list[HistoryRecord] = []
    for record in records:
        if record.disposition in _IGNORED:
            ignored.append(record)
            continue
        groups += _folded(ignored)
        ignored = []
        groups.append(DecisionGroup(rows=(decision_row(record),), summary=""))
    return (*groups, *_folded(ignored))


def _folded(ignored: Sequence[HistoryRecord]) -> Iterable[DecisionGroup]:
    rows = tuple(decision_row(each) for each in ignored)
    if len(rows) < _FOLD_FROM:
        return [DecisionGroup(rows=(row,), summary="") for row in rows]
    counts = Counter(each.disposition for each in ignored)
    told = [_many(disposition, count) for disposition, count in counts.most_common()]
    return [DecisionGroup(rows=rows, summary=" and ".join(told))]


def _many(disposition: Disposition, count: int) -> str:
    word = disposition_tone(disposition).word
    return f"{count} {word}s" if disposition is Disposition.DUPLICATE and count > 1 else f"{count} {word}"


def _effect(kind: str, phase: str, topic: str) -> str:
    what = kind.replace("_", " ")
    return f"{what} {phase} on {topic}".replace("  ", " ") if phase else f"{what} on {topic}"
