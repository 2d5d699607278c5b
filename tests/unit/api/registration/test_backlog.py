"""Registrations while decisions lag."""

import pytest

from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, process_record, until, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"


async def behind(api: World, seconds: float) -> None:
    """Have the orchestrator report a lag, and wait until the api goes by it."""
    api.tell(process_record("orchestrator", lag_s=seconds))

    async def noticed() -> bool:
        return api.services.system.decision_lag_s() == seconds

    await until(noticed)


async def test_registrations_are_refused_while_decisions_lag_and_taken_again_after() -> None:
    async with world(max_decision_lag_s=30) as api:
        await behind(api, 42.5)
        refused = await api.client.post(REGISTER, json=seed_body())
        assert (refused.status_code, refused.json()["code"]) == (503, "ORC-DECISIONS-BEHIND")
        assert refused.headers["Retry-After"] == "13"
        assert refused.json()["lag_seconds"] == 42.5
        assert api.cluster.requests == []
        assert api.cluster.batches == {}, "nothing was written"
        await behind(api, 29.0)
        assert (await api.client.post(REGISTER, json=seed_body())).status_code == 202


async def test_a_batch_can_be_cancelled_while_decisions_lag() -> None:
    async with world(max_decision_lag_s=30) as api:
        batch_id = (await api.client.post(REGISTER, json=seed_body())).json()["batch_id"]
        await behind(api, 600.0)
        refused = await api.client.post(REGISTER, json=seed_body())
        assert refused.headers["Retry-After"] == "30", "no longer than that: the lag may be gone by then"
        assert (await api.client.post(f"/v1/batches/{batch_id}/cancel", json={})).status_code == 200
