"""A batch decided again from its own inbox records."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from schemas.ids import VERSIONS_PER_GENERATION
from schemas.internal.enums import BatchStatus, Disposition, ReasonCode
from schemas.internal.events import Event, InboxRecord
from schemas.internal.formats import INBOX
from schemas.internal.history import NO_VERSION, EffectNote, HistoryRecord, Reason
from state.batch import Batch
from state.codec import encode_batch
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from state.decision.result import Decision, Oversize
from state.replay import RecordedEvent, current_life, replay
from tests.unit.state.story import Story, Told, refs, registered, started


def recorded(told: Sequence[Told]) -> list[RecordedEvent]:
    return [RecordedEvent(inbox(each.event), published(each)) for each in told]


def inbox(event: Event) -> InboxRecord:
    return InboxRecord(
        writer=INBOX.version,
        least_reader=INBOX.least_reader,
        batch_id=event.batch_id,
        origin=event.origin,
        body=event.body,
    )


def published(told: Told) -> HistoryRecord:
    """Return the history record as the orchestrator publishes it, with what it knows of the effects."""
    notes = tuple(EffectNote("effect", effect.event_id, "topic") for effect in told.decision.effects)
    return replace(told.history, effects=notes)


def eventful() -> Story:
    story = registered(slots=4)
    story.register()
    story.invalid(critical=False)
    story.ready()
    story.ready(refs(story.slots[:1]))
    story.outcome("spellcheck", failed=story.slots[:1])
    story.outcome("spellcheck", failed=story.slots[:1])
    story.outcome("nlp", ok=[])
    story.outcome("cj_assessment")
    story.outcome("cj_assessment", ok=[])
    return story


def test_a_replay_gives_the_state_byte_for_byte_and_every_decision() -> None:
    story = eventful()
    result = replay(recorded(story.told), story.status)
    assert result.batch is not None
    assert encode_batch(result.batch) == encode_batch(story.batch)
    assert result.identical
    assert result.whole
    assert [each.decided for each in result.decisions] == [True] * len(story.told)


def test_the_status_is_compared_at_its_own_version() -> None:
    story = started()
    earlier = story.status
    story.outcome("spellcheck")
    assert replay(recorded(story.told), earlier).identical


def test_a_status_that_the_events_do_not_lead_to_differs() -> None:
    story = started()
    [difference] = replay(recorded(story.told), replace(story.status, status=BatchStatus.CANCELLED)).status
    assert difference.fact == "status"
    assert difference.published == '"cancelled"'
    assert difference.replayed == '"processing_pipelines"'


def test_a_status_of_a_version_that_no_event_leads_to_differs() -> None:
    story = started()
    [difference] = replay(recorded(story.told), replace(story.status, version=story.status.version + 1)).status
    assert difference.fact == "version"


def test_an_event_that_is_missing_breaks_the_chain_and_changes_what_follows() -> None:
    story = started()
    story.outcome("spellcheck")
    events = recorded(story.told)
    del events[1]
    result = replay(events, story.status)
    assert not result.whole
    assert not result.identical
    assert result.decisions[1].chain_expected == story.told[0].history.version


def test_a_decision_that_was_another_one_is_shown_with_what_differs() -> None:
    story = started()
    events = recorded(story.told)
    changed = replace(events[1].history, disposition=Disposition.STALE, effects=())
    result = replay([events[0], RecordedEvent(events[1].record, changed)])
    facts = {difference.fact for difference in result.decisions[1].differences}
    assert facts == {"disposition", "effects"}


def test_a_quarantined_record_is_not_decided() -> None:
    story = started()
    story.outcome("spellcheck")
    story.outcome("cj_assessment")
    events = recorded(story.told)
    quarantined = replace(
        events[1].history,
        disposition=Disposition.QUARANTINED,
        reason=Reason(code=ReasonCode.DECISION_FAILED),
        version=story.told[0].history.version,
        offset=events[0].history.offset,
    )
    result = replay([events[0], RecordedEvent(None, quarantined), *events[1:]], story.status)
    assert [each.decided for each in result.decisions] == [True, False, True, True, True]
    assert result.identical
    assert result.whole


@pytest.mark.parametrize("code", [ReasonCode.KEY_MISMATCH, ReasonCode.PROCESS_CRASHED])
def test_a_record_that_was_set_aside_without_its_batch_is_no_link_of_the_chain(code: ReasonCode) -> None:
    story = started()
    events = recorded(story.told)
    stranger = replace(
        events[0].history,
        disposition=Disposition.QUARANTINED,
        reason=Reason(code=code),
        version=NO_VERSION,
        based_on=NO_VERSION,
    )
    assert replay([events[0], RecordedEvent(None, stranger), *events[1:]], story.status).whole


def test_a_rule_that_fails_now_is_a_difference_and_the_replay_goes_on() -> None:
    def failing(batch: Batch | None, event: Event, oversize: Oversize | None) -> Decision:
        if event.version == story.told[1].event.version:
            raise ZeroDivisionError("a rule's defect")
        return decide(batch, event, oversize)

    story = started()
    story.outcome("spellcheck")
    result = replay(recorded(story.told), decide=failing)
    [difference] = result.decisions[1].differences
    assert (difference.fact, difference.replayed) == ("exception", "ZeroDivisionError: a rule's defect")
    assert len(result.decisions) == 3


def test_a_result_that_was_too_large_is_an_input_of_the_decision() -> None:
    story = started()
    event = story._event(story.concluded("spellcheck"), "", None, "")
    decision = decide(story.batch, event, Oversize("the stored record", 9_000, 8_000))
    assert decision.reason.code is ReasonCode.OVERSIZED
    assert decision.batch is not None
    last = Told(story.batch, event, decision, history_record(story.batch, event, decision))
    result = replay(recorded([*story.told, last]), status_record(decision.batch))
    assert result.identical
    assert result.batch == decision.batch


def test_versions_of_a_later_generation_are_rebuilt() -> None:
    first = 3 * VERSIONS_PER_GENERATION
    story = Story()
    story.register()
    told = story.told[0]
    event = replace(told.event, version=first + told.event.offset)
    decision = decide(None, event)
    assert decision.batch is not None
    history = replace(published(told), version=event.version, answer=None)
    result = replay([RecordedEvent(inbox(event), history)], status_record(decision.batch))
    assert result.batch == decision.batch
    assert not result.status


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_life_of_a_batch_begins_with_its_last_registration(*, shuffled: bool) -> None:
    first = Story()
    first.ready([])
    first.register()
    first.ready()
    second = Story()
    second.offset = first.offset + 10
    second.register()
    second.ready()
    histories = [told.history for told in (*first.told, *second.told, *second.told)]
    life = current_life(reversed(histories) if shuffled else histories)
    assert [each.offset for each in life] == [told.event.offset for told in second.told]


def test_a_history_without_a_registration_is_no_life() -> None:
    story = started()
    assert current_life([told.history for told in story.told[1:]]) == ()
