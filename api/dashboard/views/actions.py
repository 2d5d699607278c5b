"""What a person can do with a batch, as buttons, and what would come of it."""

from collections.abc import Sequence

from msgspec import Struct

from api.dashboard.views.decisions import ChangeRow, change_row
from api.dashboard.views.links import batch_url
from api.dashboard.views.words import Tone, batch_tone, counted, disposition_tone
from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import HistoryRecord
from schemas.internal.status import StatusRecord
from state.why import Action

ACTIONS = ("resume", "pause", "retry", "cancel")
_LABELS = {"resume": "Resume", "pause": "Pause", "retry": "Retry", "cancel": "Cancel batch"}
_OPPOSITE = frozenset({ReasonCode.ALREADY_PAUSED, ReasonCode.NOT_PAUSED})
_ASKS = {
    "resume": "Resume this batch?",
    "pause": "Pause this batch?",
    "retry": "Run {phase} again?",
    "cancel": "Cancel this batch?",
}
_MEANS = {
    "resume": "It goes on where it was paused; its clocks run again.",
    "pause": "No further command goes out and its clocks stand until it is resumed. What peers already do goes on.",
    "retry": "A new attempt is commanded. Phases after it run again on its result.",
    "cancel": "It ends now and for good. Running phases are cancelled; what peers still report is ignored.",
}
_ESSAYS = {"failed": "the essays that it lost", "all": "all its essays"}


class Button(Struct, frozen=True, kw_only=True):
    """An action of a batch."""

    name: str
    label: str
    url: str
    allowed: bool
    refusal: str
    """Why it would be refused, as a sentence."""


class Actions(Struct, frozen=True, kw_only=True):
    """All actions of a batch."""

    simple: tuple[Button, ...]
    retries: tuple[Button, ...]
    ended: str
    """Why nothing can be done at all; empty where something can."""

    @property
    def retry_refusal(self) -> str:
        """Return why no retry is possible; empty where one is."""
        if any(each.allowed for each in self.retries):
            return ""
        return self.retries[0].refusal if self.retries else "the batch has no phase that was requested"


class PreviewView(Struct, frozen=True, kw_only=True):
    """What would be decided on an action now."""

    applied: bool
    tone: Tone
    headline: str
    before: Tone
    after: Tone
    changes: tuple[ChangeRow, ...]
    """What changes of its phases."""
    commands: tuple[str, ...]
    version: int


def actions_of(batch_id: str, advice: Sequence[Action]) -> Actions:
    """Return the buttons of a batch from its advice. Pause and resume exclude each other: one of them is shown."""
    simple = [_button(batch_id, each) for each in advice if each.name != "retry" and each.refusal not in _OPPOSITE]
    retries = [_button(batch_id, each) for each in advice if each.name == "retry"]
    over = {each.sentence for each in advice if each.refusal is ReasonCode.BATCH_ENDED}
    ended = over.pop() if over and all(not each.allowed for each in advice) else ""
    return Actions(simple=tuple(simple), retries=tuple(retries), ended=ended)


def _button(batch_id: str, action: Action) -> Button:
    label = _LABELS.get(action.name, action.name)
    if action.name == "retry":
        label = f"{action.phase}: {_ESSAYS.get(action.essays, action.essays)}"
    below = f"/actions/{action.name}"
    return Button(
        name=action.name,
        label=label,
        url=batch_url(batch_id, below, phase=action.phase or None, essays=action.essays or None),
        allowed=action.allowed,
        refusal="" if action.allowed else action.sentence,
    )


def question(name: str, phase: str) -> str:
    """Return what the dialog of an action asks."""
    return _ASKS[name].format(phase=phase or "a phase")


def meaning(name: str) -> str:
    """Return what an action does, in a sentence or two."""
    return _MEANS[name]


def preview_view(
    before: StatusRecord, after: StatusRecord, history: HistoryRecord, effects: Sequence[Effect]
) -> PreviewView:
    """Return what would come of an action."""
    applied = history.disposition is Disposition.APPLIED
    return PreviewView(
        applied=applied,
        tone=disposition_tone(history.disposition),
        headline="It would be applied." if applied else "It would be refused.",
        before=batch_tone(before),
        after=batch_tone(after),
        changes=tuple(change_row(each) for each in history.changes if each.phase),
        commands=tuple(command_text(each) for each in effects),
        version=before.version,
    )


def command_text(effect: Effect) -> str:
    """Return what a decision would publish, in words."""
    match effect:
        case CommandPhase():
            again = f", attempt {effect.attempt}" if effect.attempt > 1 else ""
            return f"{effect.phase} commanded for {counted(len(effect.essays), 'essay')}{again}"
        case CommandStudentMatching():
            return f"matching of students commanded for {counted(len(effect.essays), 'essay')}"
        case BatchRegistered():
            return f"{counted(len(effect.essay_ids), 'essay slot')} opened"
        case _:
            return "peers are told that the batch has ended"
