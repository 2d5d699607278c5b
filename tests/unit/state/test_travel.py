"""The state of a batch at a version, and single decisions with the states around them."""

from schemas.internal.enums import BatchStatus, Disposition
from state.codec import encode_batch
from state.travel import moment, state_at
from tests.unit.state.story import FIRST_OFFSET
from tests.unit.state.test_replay import eventful, recorded


def test_the_state_at_every_version_is_the_one_that_was() -> None:
    story = eventful()
    events = recorded(story.told)
    for told in story.told:
        found = state_at(events, told.event.version)
        assert found is not None
        assert found.batch is not None
        assert told.decision.batch is not None
        assert encode_batch(found.batch) == encode_batch(told.decision.batch)
        assert found.identical


def test_between_two_events_the_earlier_one_counts() -> None:
    events = [event for event in recorded(eventful().told) if event.history.offset != FIRST_OFFSET + 1]
    [first, between] = [state_at(events, FIRST_OFFSET + place) for place in (0, 1)]
    assert first == between
    assert state_at(events, FIRST_OFFSET - 1) is None


def test_a_decision_has_its_states_its_effects_and_its_neighbours() -> None:
    story = eventful()
    events = recorded(story.told)
    for index, told in enumerate(story.told):
        found = moment(events, told.event.version)
        assert found is not None
        assert (found.before, found.after) == (told.before, told.decision.batch)
        assert found.effects == told.decision.effects
        assert found.previous == (None if index == 0 else told.event.version - 1)
        assert found.next == (None if told is story.last else told.event.version + 1)
        assert found.replayed.identical
    assert moment(events, FIRST_OFFSET - 1) is None


def test_a_quarantined_record_changes_nothing() -> None:
    story = eventful()
    events = recorded(story.told)
    place = next(i for i, each in enumerate(events) if each.history.disposition is Disposition.APPLIED and i)
    lost = events[place]._replace(record=None)
    found = moment([*events[:place], lost], lost.position)
    assert found is not None
    assert found.before == found.after
    assert found.effects == ()


def test_the_end_is_a_state_like_any_other() -> None:
    story = eventful()
    found = state_at(recorded(story.told), 10**9)
    assert found is not None
    assert found.batch is not None
    assert found.batch.status is BatchStatus.COMPLETED_WITH_FAILURES
