"""The load is what the product takes: whole batches that run from registration to completion."""

import pytest

from bench.wire import EVENTS_PER_BATCH, PHASES, BatchIds, Shape, Wire
from runtime.settings import Settings
from schemas.inbound.normalise import normalise
from schemas.internal.effects import BatchRegistered, CommandPhase, PipelineCompleted
from schemas.internal.enums import BatchStatus, Disposition
from schemas.internal.events import Event
from schemas.internal.outgoing import RecordPosition
from state.batch import Batch
from state.decision.attempts import slots_of
from state.decision.decide import decide
from state.decision.result import Decision
from topology.router.transform import registration_policy

SHAPES: tuple[Shape, ...] = ("seed", "head")
ESSAYS = 5


def told(shape: Shape) -> list[Decision]:
    """What comes of the events of one batch, in the order in which the load has them."""
    wire, ids, policy = Wire(shape, ESSAYS), BatchIds.numbered(7, "test"), registration_policy(Settings())
    slots: tuple[str, ...] = ()
    batch: Batch | None = None
    decisions: list[Decision] = []
    for offset, what in enumerate(("register", "ready", *PHASES)):
        if what == "register":
            value = wire.registration(ids)
        elif what == "ready":
            value = wire.ready(ids, slots)
        else:
            value = wire.outcome(ids, what, slots)
        record = normalise(wire.topics[what], RecordPosition("t", 0, offset), value, {}, policy)
        event = Event(
            batch_id=record.batch_id,
            origin=record.origin,
            body=record.body,
            version=offset,
            time_ms=1_000,
            partition=0,
            offset=offset,
        )
        decisions.append(decide(batch, event))
        batch = decisions[-1].batch
        assert batch is not None
        slots = slots or slots_of(batch)
    return decisions


@pytest.mark.parametrize("shape", SHAPES)
def test_each_event_of_the_load_changes_its_batch(shape: Shape) -> None:
    decisions = told(shape)
    assert len(decisions) == EVENTS_PER_BATCH
    assert {decision.disposition for decision in decisions} == {Disposition.APPLIED}
    assert decisions[-1].batch is not None
    assert decisions[-1].batch.status is BatchStatus.COMPLETED_SUCCESSFULLY


@pytest.mark.parametrize("shape", SHAPES)
def test_each_event_of_the_load_leads_to_one_published_record(shape: Shape) -> None:
    effects = [type(effect) for decision in told(shape) for effect in decision.effects]
    assert effects == [BatchRegistered, CommandPhase, CommandPhase, PipelineCompleted]


def test_batches_of_two_runs_have_different_names() -> None:
    assert BatchIds.numbered(1, "a") != BatchIds.numbered(1, "b")
    assert BatchIds.numbered(1, "a") != BatchIds.numbered(2, "a")


def test_events_of_two_batches_share_no_id() -> None:
    wire = Wire("seed", ESSAYS)
    one, other = (wire.ready(BatchIds.numbered(number, "test"), ["e" * 36]) for number in (1, 2))
    assert one != other
    assert len(one) == len(other)
