"""The state of a batch, rebuilt from its inbox records, in front of a cluster in memory."""

import pytest
from msgspec.structs import replace

from api.errors import Problem
from schemas.errors import BrokerError
from schemas.internal.enums import BatchStatus
from state.codec import encode_batch
from tests.unit.api.memory import world
from tests.unit.api.replay.happening import failed, happen, ready, registered

pytestmark = pytest.mark.anyio


async def test_the_state_has_the_last_decision_though_the_projection_is_behind() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.projection.project()
        ready(api, batch_id)
        state = await api.services.states.state_of(batch_id)
    assert state is not None
    assert encode_batch(state) == encode_batch(api.cluster.batches[batch_id])


@pytest.mark.parametrize("projected", [False, True])
async def test_the_state_does_not_depend_on_how_far_the_projection_is(*, projected: bool) -> None:
    async with world() as api:
        batch_id = await registered(api)
        ready(api, batch_id)
        happen(api, batch_id, failed("nlp"))
        happen(api, batch_id, failed("spellcheck"))
        if projected:
            api.projection.project()
        state = await api.services.states.state_of(batch_id)
    assert state is not None
    assert state.status is BatchStatus.FAILED_CRITICALLY
    assert encode_batch(state) == encode_batch(api.cluster.batches[batch_id])


async def test_there_is_no_state_of_a_batch_that_does_not_exist() -> None:
    async with world() as api:
        assert await api.services.states.state_of("nobody") is None


async def test_records_that_retention_has_removed_are_told_as_such() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.cluster.inbox_start = 10**9
        with pytest.raises(Problem) as raised:
            await api.services.states.state_of(batch_id)
    assert (raised.value.status, raised.value.code) == (410, "ORC-RECORDS-EXPIRED")


async def test_a_history_that_was_pruned_is_told_as_such() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.projection.project()
        api.projection.histories.clear()
        with pytest.raises(Problem) as raised:
            await api.services.states.state_of(batch_id)
    assert (raised.value.status, raised.value.code) == (410, "ORC-RECORDS-EXPIRED")


async def test_a_state_that_is_not_the_published_one_is_never_given() -> None:
    async with world() as api:
        batch_id = await registered(api)
        ready(api, batch_id)
        api.projection.project()
        api.projection.rows[batch_id] = replace(api.projection.rows[batch_id], stalled=True)
        await api.services.batches.read_version(batch_id, 10**9, 5.0)
        api.services.follower.set_projection_offsets(api.projection.reflected)
        with pytest.raises(Problem) as raised:
            await api.services.states.state_of(batch_id)
    assert (raised.value.status, raised.value.code) == (500, "ORC-REPLAY-DIFFERS")
    assert "stalled" in raised.value.message


async def test_without_the_projection_the_answer_is_to_try_again() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.projection.error = BrokerError("away", next_step="Wait.")
        with pytest.raises(Problem) as raised:
            await api.services.states.state_of(batch_id)
    assert raised.value.status == 503


async def test_a_replay_shows_every_decision_the_ignored_ones_too() -> None:
    async with world() as api:
        batch_id = await registered(api)
        ready(api, batch_id)
        ready(api, batch_id)
        happen(api, batch_id, failed("nlp"))
        result = await api.services.states.replay_of(batch_id)
    assert result is not None
    assert result.identical
    assert result.whole
    assert [each.published.disposition for each in result.decisions] == ["applied", "applied", "duplicate", "stale"]
