"""A database that takes five seconds for each answer: registrations do not notice, lists say how old they are."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import TypeVar

import pytest

from schemas.internal.status import StatusRecord
from state.projection import Reader
from tests.patience import PATIENCE_S
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, MemoryProjection, World, answers, until, world

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
Answer = TypeVar("Answer")
SLOW_S = 5.0
EACH = 60
ROUNDS = 12
MOST = 1.2


class SlowProjection(MemoryProjection):
    """Answers at once, or after five seconds while `slow` is set."""

    def __init__(self, cluster: MemoryCluster) -> None:
        super().__init__(cluster)
        self.slow = False
        self._fast_again = Event()

    def become(self, *, slow: bool) -> None:
        self.slow = slow
        if slow:
            self._fast_again.clear()
        else:
            self._fast_again.set()

    def get(self, batch_id: str) -> StatusRecord | None:
        self._wait()
        return super().get(batch_id)

    def offsets(self) -> dict[object, int]:  # type: ignore[override]
        self._wait()
        return dict(super().offsets())

    def read(self, query: Callable[[Reader], Answer]) -> Answer:
        self._wait()
        return super().read(query)

    def _wait(self) -> None:
        if self.slow:
            self._fast_again.wait(SLOW_S)


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


async def registrations(api: World, number: int) -> list[float]:
    took = []
    for _ in range(number):
        started = time.perf_counter()
        answer = await api.client.post("/v1/batches/register", json=seed_body())
        took.append(time.perf_counter() - started)
        assert answer.status_code == 202, answer.text
    return took


async def ask_for_lists(api: World) -> None:
    """Ask for a list and for stats again and again, as an open dashboard does."""
    while True:
        with suppress(Exception):
            await asyncio.gather(api.client.get("/v1/batches?limit=20"), api.client.get("/v1/stats"))
        await asyncio.sleep(0.5)


async def test_a_slow_database_does_not_change_the_p99_of_registrations() -> None:
    """A round compares both, one after the other; one quiet round is enough, because the machine has other work too.

    Registrations that wait for the database take seconds in every round.
    """
    cluster = MemoryCluster()
    projection = SlowProjection(cluster)
    async with world(cluster, projection) as api:
        await registrations(api, EACH)
        dashboard = asyncio.create_task(ask_for_lists(api))
        ratios: list[float] = []
        while len(ratios) < ROUNDS and min(ratios, default=MOST + 1) > MOST:
            projection.become(slow=False)
            fast = p99(await registrations(api, EACH))
            projection.become(slow=True)
            ratios.append(p99(await registrations(api, EACH)) / fast)
        projection.become(slow=False)
        dashboard.cancel()
        assert min(ratios) <= MOST, ratios


async def test_lists_of_a_slow_database_are_old_and_say_so() -> None:
    cluster = MemoryCluster()
    projection = SlowProjection(cluster)
    async with world(cluster, projection, projection_timeout_s=2.0) as api:
        await registrations(api, 1)
        projection.project()
        await answers(api.client, "/v1/batches", 200)  # on a busy machine the first may take too long
        seen = (await api.client.get("/v1/batches")).json()
        projection.become(slow=True)

        async def known() -> bool:
            return "batch_orchestrator_api_projection_readable 0.0" in (await api.client.get("/metrics")).text

        await until(known)
        started = time.monotonic()
        old = await api.client.get("/v1/batches")
        assert time.monotonic() - started < PATIENCE_S
        assert old.json()["batches"] == seen["batches"]
        assert "the projection database cannot be read" in old.json()["stale"]
        health = await api.client.get("/healthz")
        assert health.status_code == 503
        assert "ORC-PROJECTION" in [problem["code"] for problem in health.json()["problems"]]
        projection.become(slow=False)

        async def current() -> bool:
            return (await api.client.get("/v1/batches")).json()["stale"] is None

        await until(current)
