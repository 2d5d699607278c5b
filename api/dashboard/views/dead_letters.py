"""Dead letters as their pages show them."""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from msgspec import Struct

from api.dashboard.drawings.status_bar import Part
from api.dashboard.views.links import batch_url
from api.dashboard.views.problem import HELP
from api.dashboard.views.words import Tone, counted, disposition_tone, short_id
from api.letters.previews import Preview
from api.letters.service import GroupPreview, Worked
from schemas.internal.dead_letters import DISCARDED, OPEN, REPLAYED
from schemas.internal.enums import Disposition
from state.projection import LetterFilter, LetterGroup, StoredLetter

PATH = "/dead-letters"
ANY = "any"
STATES = (OPEN, REPLAYED, DISCARDED, ANY)
ASK_NUMBER_ABOVE = 100
"""Dead letters above which a person types the number before all of them are worked."""
_TONES = {
    OPEN: Tone("stalled", "stalled", "open", open=True),
    REPLAYED: Tone("done", "done", "replayed"),
    DISCARDED: Tone("idle", "cancelled", "discarded"),
}
_AGAIN = Tone("failed", "failed", "dead letter again")
_UNDECIDED = Tone("stalled", "stalled", "cannot be told now")
_REFUSED = Tone("partial", "partial", "cannot be replayed")


class Tab(Struct, frozen=True, kw_only=True):
    """A state of dead letters to choose."""

    label: str
    url: str
    count: int
    current: bool


class GroupRow(Struct, frozen=True, kw_only=True):
    """Dead letters of one code from one topic."""

    code: str
    help_url: str
    topic: str
    count: int
    first_ms: int
    last_ms: int
    url: str
    replay_url: str
    discard_url: str


class LetterRow(Struct, frozen=True, kw_only=True):
    """One dead letter in a list."""

    letter_id: str
    short: str
    url: str
    tone: Tone
    code: str
    help_url: str
    reason: str
    place: str
    """Where the record was first read: topic, partition and offset."""
    time_ms: int
    batch_short: str
    batch_url: str
    """Empty where it is about no batch that can be read."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How many dead letters of a group would become the same."""

    tone: Tone
    count: int


class PreviewRow(Struct, frozen=True, kw_only=True):
    """What a replay of one dead letter would become."""

    letter_id: str
    short: str
    url: str
    tone: Tone
    sentence: str
    commands: tuple[str, ...]
    batch_short: str = ""
    batch_url: str = ""
    before: str = ""
    after: str = ""


class GroupPreviewView(Struct, frozen=True, kw_only=True):
    """What a replay of a group would become."""

    matched: int
    outcomes: tuple[Outcome, ...]
    commands: int
    rows: tuple[PreviewRow, ...]
    """The first of them."""
    shown: str
    """How many of them the rows are."""
    left: int


class WorkedView(Struct, frozen=True, kw_only=True):
    """What became of a group."""

    headline: str
    refused: tuple[PreviewRow, ...]
    left: int


_MOST_ROWS = 50


def letter_url(letter_id: str, below: str = "") -> str:
    """Return the page of a dead letter, or what lies below it."""
    return f"{PATH}/{quote(letter_id, safe='')}{below}"


def list_url(below: str = "", /, **query: str | None) -> str:
    """Return the list of dead letters that a query selects."""
    given = {name: value for name, value in query.items() if value}
    return f"{PATH}{below}?{urlencode(given)}" if given else f"{PATH}{below}"


def tabs(counts: dict[str, int], chosen: str, *, code: str | None, topic: str | None) -> tuple[Tab, ...]:
    """Return the states with their counts."""
    return tuple(
        Tab(
            label=state,
            url=list_url(state=None if state == OPEN else state, code=code, topic=topic),
            count=sum(counts.values()) if state == ANY else counts[state],
            current=state == chosen,
        )
        for state in STATES
    )


def group_row(group: LetterGroup, state: str) -> GroupRow:
    """Return the row of a group."""
    query = {"code": group.code, "topic": group.topic, "state": None if state == OPEN else state}
    return GroupRow(
        code=group.code,
        help_url=HELP.format(code=group.code),
        topic=group.topic,
        count=group.count,
        first_ms=group.first_ms,
        last_ms=group.last_ms,
        url=list_url(**query),
        replay_url=list_url("/groups/replay", **query),
        discard_url=list_url("/groups/discard", **query),
    )


def letter_row(stored: StoredLetter) -> LetterRow:
    """Return the row of a dead letter."""
    letter = stored.letter
    return LetterRow(
        letter_id=letter.dead_letter_id,
        short=short_id(letter.dead_letter_id),
        url=letter_url(letter.dead_letter_id),
        tone=state_tone(stored.state),
        code=letter.code,
        help_url=HELP.format(code=letter.code),
        reason=letter.reason,
        place=f"{letter.first.topic} [{letter.first.partition}] @ {letter.first.offset:,}",
        time_ms=stored.time_ms,
        batch_short=short_id(stored.batch_id or ""),
        batch_url=batch_url(stored.batch_id) if stored.batch_id else "",
    )


def state_tone(state: str) -> Tone:
    """Return how a state looks."""
    return _TONES.get(state) or Tone("stalled", "stalled", state)


def preview_row(preview: Preview) -> PreviewRow:
    """Return what a replay would become."""
    fault = preview.fault or {}
    return PreviewRow(
        letter_id=preview.dead_letter_id,
        short=short_id(preview.dead_letter_id),
        url=letter_url(preview.dead_letter_id),
        tone=_outcome_tone(preview),
        sentence=preview.sentence or fault.get("detail", ""),
        commands=tuple(
            f"{each.phase or each.kind.replace('_', ' ')}: {counted(each.essays, 'essay')}"
            for each in preview.effects
            if each.kind.startswith("command_")
        ),
        batch_short=short_id(preview.batch_id or ""),
        batch_url=batch_url(preview.batch_id) if preview.batch_id else "",
        before=(preview.status_before or "").replace("_", " "),
        after=(preview.status_after or "").replace("_", " "),
    )


def group_preview_view(group: GroupPreview) -> GroupPreviewView:
    """Return what a replay of a group would become: how many would become what, and the first of them."""
    rows = [preview_row(each) for each in group.previews]
    found = Counter(row.tone for row in rows)
    if group.refused:
        found[_REFUSED] = len(group.refused)
    rows += [_refused_row(each.dead_letter_id, each.detail) for each in group.refused]
    shown = f"the first {_MOST_ROWS} of {len(rows):,}" if len(rows) > _MOST_ROWS else f"all {len(rows):,}"
    return GroupPreviewView(
        matched=group.matched,
        outcomes=tuple(Outcome(tone=tone, count=count) for tone, count in found.most_common()),
        commands=sum(preview.commands for preview in group.previews),
        rows=tuple(rows[:_MOST_ROWS]),
        shown=shown,
        left=group.left,
    )


def outcome_parts(outcomes: Sequence[Outcome]) -> list[Part]:
    """Return the parts of a bar of outcomes."""
    return [Part(label=each.tone.word, count=each.count, tone=each.tone.name) for each in outcomes]


def worked_view(worked: Worked, state: str) -> WorkedView:
    """Return what became of a group."""
    return WorkedView(
        headline=f"{worked.done:,} of {counted(worked.matched, 'dead letter')} {state}",
        refused=tuple(_refused_row(each.dead_letter_id, each.detail) for each in worked.refused[:_MOST_ROWS]),
        left=worked.left,
    )


def group_name(filters: LetterFilter) -> str:
    """Return what a group has in common."""
    parts = [filters.code or "", f"from {filters.topic}" if filters.topic else ""]
    if filters.batch_id:
        parts.append(f"of batch {short_id(filters.batch_id)}")
    return " ".join(part for part in parts if part) or "all dead letters"


def _refused_row(letter_id: str, detail: str) -> PreviewRow:
    return PreviewRow(
        letter_id=letter_id,
        short=short_id(letter_id),
        url=letter_url(letter_id),
        tone=_REFUSED,
        sentence=detail,
        commands=(),
    )


def _outcome_tone(preview: Preview) -> Tone:
    if preview.becomes == "dead_letter":
        return _AGAIN
    if preview.disposition is None:
        return _UNDECIDED
    tone = disposition_tone(preview.disposition)
    word = f"would be {tone.word}" if preview.disposition is not Disposition.UNKNOWN else tone.word
    return Tone(tone.name, tone.shape, word)
