"""Whatever the order that causes leave open, and whatever is repeated, a batch ends in the same state."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Body, ContentProvisioned, EssayRef, EssaysReady, FileFailure, ValidationFailed
from tests.property.invariants import check_step, check_story
from tests.property.worlds import SLOTS, PeerModel, Shape, peers, shapes
from tests.unit.state.story import CLASS_CONTEXT, SEED_CONTEXT, Story

Choose = Callable[[int], int]
"""Chooses one of so many."""
TIMES = frozenset(
    {
        "version",
        "updated_ms",
        "ended_ms",
        "started_ms",
        "completed_ms",
        "commanded_ms",
        "concluded_ms",
        "due_ms",
        "time_ms",
    }
)


class Opening:
    """How a batch is started: which essays become ready, and by which events."""

    def __init__(self, named: list[int], way: str, failures: int) -> None:
        self.named = named
        self.way = way
        self.failures = failures

    def __repr__(self) -> str:
        return f"Opening({self.named}, {self.way!r}, {self.failures})"

    def caused_by_registration(self, slots: tuple[str, ...]) -> list[Body]:
        """Return what peers send once they have heard of the batch."""
        essays = self.essays(slots)
        first = EssaysReady(essays=essays) if self.way == "ready" else ContentProvisioned(essays=essays)
        failed = tuple(FileFailure("TOO_SHORT", "few words", f"{index}.txt") for index in range(self.failures))
        return [first, ValidationFailed(critical=False, failures=failed)] if failed else [first]

    def essays(self, slots: tuple[str, ...]) -> tuple[EssayRef, ...]:
        """Return the essays that become ready, as this batch's slots."""
        return tuple(EssayRef(slots[index], f"upload:{slots[index]}") for index in self.named if index < len(slots))


openings = st.builds(
    Opening,
    st.lists(st.integers(0, SLOTS - 1), unique=True),
    st.sampled_from(("ready", "guest", "class")),
    st.integers(0, 2),
)


class Play:
    """Lets one batch happen: events in an order that is chosen, each after its cause, repeats in between."""

    def __init__(self, shape: Shape, slots: int, opening: Opening, says: PeerModel) -> None:
        context = CLASS_CONTEXT if opening.way == "class" else SEED_CONTEXT
        self.story = Story(shape.definition, phases=shape.requested, slots=slots, context=context)
        self.opening = opening
        self.says = says
        self.waiting: list[Body] = []

    def run(self, choose: Choose, repeats: Iterable[tuple[int, bool]] = ()) -> Story:
        """Let everything happen; `repeats` says before which step what is repeated, and whether its id is re-minted."""
        self.story.register()
        self.waiting += self.opening.caused_by_registration(self.story.slots)
        pending = list(repeats)
        while self.waiting:
            self.tell(self.waiting.pop(choose(len(self.waiting))))
            if pending:
                self.repeat(*pending.pop())
        for index, reminted in pending:
            self.repeat(index, reminted)
        return self.story

    def tell(self, body: Body) -> None:
        """Let an event happen, and its answers wait for their turn."""
        decision = self.story.tell(body)
        self.check()
        self.waiting += [answer for effect in decision.effects for answer in self.answers(effect)]

    def answers(self, effect: Effect) -> list[Body]:
        """Return what the peers answer an effect with."""
        if isinstance(effect, CommandPhase):
            return [self.says.outcome(effect, self.story.slots)]
        if isinstance(effect, CommandStudentMatching):
            return [EssaysReady(essays=effect.essays)]
        return []

    def repeat(self, index: int, reminted: bool) -> None:  # noqa: FBT001
        """Let an event that was told happen again."""
        told = self.story.told[index % len(self.story.told)]
        decision = self.story.tell(told.event.body, event_id="" if reminted else told.event.origin.event_id)
        assert decision.effects == ()
        assert decision.disposition in (Disposition.DUPLICATE, Disposition.STALE)
        self.check()

    def check(self) -> None:
        """Check what always holds."""
        check_step(self.story.last)
        check_story(self.story)


def timeless(value: Any) -> Any:
    """Return a record without what may differ: versions and times."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, (list, tuple)) else value


def result(story: Story) -> dict[str, Any]:
    """Return a batch's stored record, status and effects, without versions and times."""
    effects = {effect.event_id: timeless(msgspec.to_builtins(effect)) for effect in story.effects}
    batch, status = timeless(msgspec.to_builtins(story.batch)), timeless(msgspec.to_builtins(story.status))
    for run in batch["phases"].values():
        for attempt in run.get("attempts", []):
            attempt["outcomes"].sort()
    return {"batch": batch, "status": status, "effects": effects}


def too_late(story: Story) -> bool:
    """Return whether files were told to have failed after the end, when that is in the history alone."""
    return any(
        isinstance(told.event.body, ValidationFailed) and told.decision.reason.code is ReasonCode.BATCH_ENDED
        for told in story.told
    )


@given(
    shape=shapes(),
    slots=st.integers(1, SLOTS),
    opening=openings,
    says=peers(),
    order=st.lists(st.integers(0, 7), max_size=12),
    repeats=st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=12),
)
def test_every_possible_order_with_repeats_anywhere_ends_in_the_same_state(
    shape: Shape, slots: int, opening: Opening, says: PeerModel, order: list[int], repeats: list[tuple[int, bool]]
) -> None:
    straight = Play(shape, slots, opening, says).run(lambda _count: 0)
    turns = iter(order)
    shuffled = Play(shape, slots, opening, says).run(lambda count: next(turns, 0) % count, repeats)
    assert straight.batch.status.terminal
    assert shuffled.batch.status.terminal
    one, other = result(straight), result(shuffled)
    if too_late(straight) or too_late(shuffled):
        for record in (one["batch"], one["status"], other["batch"], other["status"]):
            for name in ("file_failures", "file_failures_total", "validations"):
                record.pop(name, None)
    assert one == other
