"""What a replay and a what-if say."""

from msgspec import Struct

from api.dashboard.views.decisions import kind_of
from api.dashboard.views.links import decision_url
from api.dashboard.views.values import ValueRow
from api.dashboard.views.words import Tone, batch_status_tone, counted, disposition_tone
from schemas.internal.enums import BatchStatus
from state.replay import Replay, ReplayedDecision
from state.what_if import Command, DifferentDecision, Told, WhatIf

_MOST_SHOWN = 50
_GOOD = Tone("done", "done", "identical")
_BAD = Tone("failed", "failed", "differs")


class DifferingDecision(Struct, frozen=True, kw_only=True):
    """A decision that comes out otherwise than it was published."""

    url: str
    offset: int
    chain: str
    """How the chain of versions breaks at it; empty where it does not."""
    values: tuple[ValueRow, ...]


class Proof(Struct, frozen=True, kw_only=True):
    """The result of a replay."""

    tone: Tone
    sentence: str
    decisions: tuple[DifferingDecision, ...]
    status: tuple[ValueRow, ...]


class World(Struct, frozen=True, kw_only=True):
    """A decision in one of the two worlds."""

    tone: Tone
    sentence: str
    commands: tuple[str, ...]


class OtherDecision(Struct, frozen=True, kw_only=True):
    """An event that would have been decided otherwise."""

    url: str
    kind: str
    time_ms: int
    recorded: World | None
    instead: World


class WhatIfView(Struct, frozen=True, kw_only=True):
    """What would have been."""

    same: bool
    sentence: str
    recorded: Tone | None
    instead: Tone | None
    decisions: tuple[OtherDecision, ...]
    added: tuple[str, ...]
    dropped: tuple[str, ...]
    open: bool


def proof_view(batch_id: str, result: Replay) -> Proof:
    """Return what a replay says: that all is as published, or what is not."""
    differing = [each for each in result.decisions if each.differences or each.chain_expected is not None]
    broken = sum(each.chain_expected is not None for each in differing)
    changed = sum(bool(each.differences) for each in differing)
    replayed = f"Replayed {counted(len(result.decisions), 'record')}"
    told = [
        "state differs" if result.status else "state identical",
        f"{counted(changed, 'decision')} differ" if changed else "decisions identical",
        f"chain broken at {counted(broken, 'place')}" if broken else "chain whole",
    ]
    return Proof(
        tone=_BAD if differing or result.status else _GOOD,
        sentence=f"{replayed}: {', '.join(told)}.",
        decisions=tuple(_differing(batch_id, each) for each in differing[:_MOST_SHOWN]),
        status=tuple(ValueRow(path=each.fact, before=each.published, after=each.replayed) for each in result.status),
    )


def _differing(batch_id: str, decision: ReplayedDecision) -> DifferingDecision:
    published = decision.published
    chain = ""
    if decision.chain_expected is not None:
        chain = f"based on version {published.based_on}, and version {decision.chain_expected} was before it"
    return DifferingDecision(
        url=decision_url(batch_id, published.version),
        offset=published.offset,
        chain=chain,
        values=tuple(
            ValueRow(path=each.fact, before=each.published, after=each.replayed) for each in decision.differences
        ),
    )


def what_if_view(batch_id: str, found: WhatIf) -> WhatIfView:
    """Return what would have been decided under another definition."""
    return WhatIfView(
        same=not found.decisions,
        sentence=found.sentence,
        recorded=_status(found.status_recorded),
        instead=_status(found.status_instead),
        decisions=tuple(_other(batch_id, each) for each in found.decisions[:_MOST_SHOWN]),
        added=tuple(_command(each) for each in found.new_commands),
        dropped=tuple(_command(each) for each in found.dropped_commands),
        open=found.open,
    )


def _status(word: str | None) -> Tone | None:
    return None if word is None else batch_status_tone(BatchStatus(word))


def _other(batch_id: str, found: DifferentDecision) -> OtherDecision:
    return OtherDecision(
        url="" if found.position is None else decision_url(batch_id, found.position),
        kind=kind_of(found.event),
        time_ms=found.time_ms,
        recorded=None if found.recorded is None else _world(found.recorded),
        instead=_world(found.instead),
    )


def _world(told: Told) -> World:
    return World(
        tone=disposition_tone(told.disposition), sentence=told.sentence, commands=tuple(map(_command, told.commands))
    )


def _command(command: Command) -> str:
    what = command.phase or "matching of students"
    again = f", attempt {command.attempt}" if command.attempt > 1 else ""
    answered = "" if command.answered else ", no outcome on record"
    return f"{what} for {counted(command.essays, 'essay')}{again}{answered}"
