"""Anything at any time: each event gets the disposition of a second account of the rules, and the result is its result.

Events are drawn without regard to what fits: of phases that do not run or do not exist, with essays of others, before
their cause, after the end, of strangers, and again.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from schemas.internal.enums import Disposition, PhaseStatus
from schemas.internal.events import (
    Body,
    CancelBatch,
    ContentProvisioned,
    DeadlineReached,
    EssayRef,
    EssaysReady,
    FileFailure,
    OutcomeStatus,
    PhaseConcluded,
    Principal,
    ValidationFailed,
)
from state.decision.attempts import slots_of
from tests.property.invariants import check_step, check_story
from tests.property.model import Model
from tests.property.worlds import NAMES, SLOTS, Shape, shapes
from tests.unit.state.story import CLASS_CONTEXT, CORRELATION, OWNER, SEED_CONTEXT, START_MS, Story

STRANGER = Principal(subject="stranger")
STATES = {
    "waiting": PhaseStatus.PENDING_DEPENDENCIES,
    "running": PhaseStatus.DISPATCH_INITIATED,
    "whole": PhaseStatus.COMPLETED_SUCCESSFULLY,
    "partial": PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
    "failed": PhaseStatus.FAILED,
    "skipped": PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE,
    "cut": PhaseStatus.CANCELLED,
    "off": PhaseStatus.SKIPPED_BY_USER_CONFIG,
}
numbers = st.integers(0, SLOTS + 1)
"""Slots of the batch, and above them essays of nobody."""
texts = st.sampled_from(("one", "other"))
some_essays = st.one_of(*[st.lists(st.tuples(numbers, texts), min_size=1, max_size=5)] * 6, st.just([]))
"""Mostly some: none at all ends a batch too soon to see more."""


class AnythingAtAnyTime(RuleBasedStateMachine):
    """One batch, its model, and a world that sends what it likes."""

    @initialize(
        shape=shapes(), slots=st.integers(1, SLOTS), in_class=st.booleans(), known=st.sampled_from((True, True, False))
    )
    def begin(self, shape: Shape, slots: int, in_class: bool, known: bool) -> None:  # noqa: FBT001
        context = CLASS_CONTEXT if in_class else SEED_CONTEXT
        self.story = Story(shape.definition, phases=shape.requested, slots=slots, context=context)
        self.model = Model(self.story.registration)
        if known:
            self.register("request-1", "1:aa", stranger=False)

    def tell(self, body: Body, event_id: str = "") -> None:
        expected = self.model.judge(body)
        decision = self.story.tell(body, event_id=event_id)
        assert (decision.disposition.value, decision.reason.code.value) == expected
        if self.story.current is not None and not self.model.slots:
            self.story.slots = self.model.slots = slots_of(self.story.batch)
        check_step(self.story.last)

    def essay(self, number: int) -> str:
        return self.story.slots[number] if number < len(self.story.slots) else f"foreign-{number}"

    def refs(self, essays: list[tuple[int, str]]) -> tuple[EssayRef, ...]:
        return tuple(EssayRef(self.essay(number), text) for number, text in essays)

    # ---------------------------------------------------------------------------------------------------- what comes

    @rule(
        request_id=st.sampled_from(("request-1", "request-2", "request-3")),
        fingerprint=st.sampled_from(("1:aa", "1:bb")),
        stranger=st.booleans(),
    )
    def register(self, request_id: str, fingerprint: str, stranger: bool) -> None:  # noqa: FBT001
        if self.story.current is None:
            request_id, fingerprint, stranger = "request-1", "1:aa", False
        who = STRANGER if stranger else OWNER
        body = replace(self.story.registration, request_id=request_id, fingerprint=fingerprint, principal=who)
        self.tell(body)

    @rule(request_id=st.sampled_from((*["request-1"] * 5, "request-4")), fingerprint=st.sampled_from(("1:aa", "1:cc")))
    def cancel(self, request_id: str, fingerprint: str) -> None:
        self.tell(
            CancelBatch(request_id=request_id, fingerprint=fingerprint, principal=OWNER, correlation_id=CORRELATION)
        )

    @rule(essays=some_essays)
    def ready(self, essays: list[tuple[int, str]]) -> None:
        self.tell(EssaysReady(essays=self.refs(essays)))

    @rule(essays=some_essays)
    def provisioned(self, essays: list[tuple[int, str]]) -> None:
        self.tell(ContentProvisioned(essays=self.refs(essays)))

    @rule(
        critical=st.sampled_from((False, False, False, False, True)), files=st.integers(0, 2), total=st.integers(0, 3)
    )
    def invalid(self, critical: bool, files: int, total: int) -> None:  # noqa: FBT001
        failures = tuple(FileFailure("CODE", "words", f"{index}.txt") for index in range(files))
        self.tell(ValidationFailed(critical=critical, failures=failures, total=total))

    @rule(
        phase=st.sampled_from((*NAMES, "ghost")),
        ok=st.lists(st.tuples(numbers, texts), max_size=5),
        failed=st.lists(numbers, max_size=3),
        status=st.sampled_from(OutcomeStatus),
        attempt=st.sampled_from((None, None, 1, 2)),
        echo=st.sampled_from((None, CORRELATION, "random")),
    )
    def outcome(
        self,
        phase: str,
        ok: list[tuple[int, str]],
        failed: list[int],
        status: OutcomeStatus,
        attempt: int | None,
        echo: str | None,
    ) -> None:
        self.tell(
            PhaseConcluded(
                phase=phase,
                status=status,
                essays=self.refs(ok),
                failed_essay_ids=tuple(self.essay(number) for number in failed),
                attempt=attempt,
                correlation_id=echo,
            )
        )

    @precondition(lambda self: self.running())
    @rule(which=st.integers(0, 3), lost=st.sets(st.integers(0, SLOTS - 1), max_size=1))
    def genuine_outcome(self, which: int, lost: set[int]) -> None:
        running = self.running()
        phase = self.model.phases[running[which % len(running)]]
        essays = list(phase.commanded)
        failed = [essays[number] for number in lost if number < len(essays)]
        self.tell(
            PhaseConcluded(
                phase=phase.name,
                status=OutcomeStatus.SUCCEEDED_WITH_FAILURES if failed else OutcomeStatus.SUCCEEDED,
                essays=tuple(EssayRef(essay, f"{phase.name}:{essay}") for essay in essays if essay not in failed),
                failed_essay_ids=tuple(failed),
            )
        )

    @precondition(lambda self: self.story.current is not None and self.model.state == "waiting")
    @rule()
    def genuine_ready(self) -> None:
        self.tell(EssaysReady(essays=self.refs([(number, "one") for number in range(len(self.story.slots))])))

    @rule(due=st.sampled_from((0, START_MS, 2**50)))
    def deadline(self, due: int) -> None:
        self.tell(DeadlineReached(due_ms=due))

    @precondition(lambda self: self.story.told)
    @rule(index=st.integers(0, 40), reminted=st.booleans())
    def again(self, index: int, reminted: bool) -> None:  # noqa: FBT001
        told = self.story.told[index % len(self.story.told)]
        self.tell(told.event.body, "" if reminted else told.event.origin.event_id)

    def running(self) -> list[str]:
        return [phase.name for phase in self.model.phases.values() if phase.state == "running"]

    # ---------------------------------------------------------------------------------------------------- what holds

    @invariant()
    def holds(self) -> None:
        check_story(self.story)
        if self.story.current is not None:
            assert self.seen() == self.expected()
            assert self.commanded() == [
                (name, list(phase.commanded.items())) for name, phase in self.model.phases.items() if phase.commanded
            ]

    def seen(self) -> dict[str, Any]:
        status = self.story.status
        return {
            "status": status.status.value,
            "counts": (status.counts.ready, status.counts.succeeded, status.counts.failed),
            "files": status.file_failures_total,
            "phases": {
                name: (view.status, view.commanded, view.succeeded, view.failed, view.unaccounted, view.foreign)
                for name, view in status.phases.items()
            },
        }

    def expected(self) -> dict[str, Any]:
        model = self.model
        waiting = "awaiting_student_validation" if model.matched else "awaiting_content_validation"
        status = {"waiting": waiting, "running": "processing_pipelines", "ended": model.final}[model.state]
        return {
            "status": status,
            "counts": (len(model.ready), len(model.ready) - len(model.lost), len(model.lost)),
            "files": model.files,
            "phases": {
                name: (
                    STATES[p.state],
                    len(p.commanded),
                    len(p.commanded) - len(p.failed | p.unaccounted) if p.over else 0,
                    len(p.failed),
                    len(p.unaccounted),
                    p.foreign,
                )
                for name, p in model.phases.items()
            },
        }

    def commanded(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return [
            (name, [(ref.essay_id, ref.text_storage_id) for ref in command.essays])
            for name in self.model.phases
            for command in self.story.commands(name)
        ]

    def teardown(self) -> None:
        """The events that were applied, alone, give the same batch: the others never changed the result."""
        if not hasattr(self, "story"):
            return
        alone = Story(batch_id=self.story.batch_id)
        for told in self.story.told:
            if told.decision.disposition is Disposition.APPLIED:
                alone.offset = told.event.offset
                alone.tell(told.event.body, event_id=told.event.origin.event_id)
        assert alone.effects == self.story.effects
        if self.story.current is not None:
            assert alone.batch == replace(self.story.batch, decided=alone.batch.decided)


TestAnythingAtAnyTime = pytest.mark.slow(AnythingAtAnyTime.TestCase)
TestAnythingAtAnyTime.settings = settings(stateful_step_count=24)
