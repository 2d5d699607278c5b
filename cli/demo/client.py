"""The demo's HTTP client: registers the planned batches and follows each to its end."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.demo.plan import PlannedBatch

CONCURRENCY = 8
_POLL_SECONDS = 0.5
_TRIES = 40
_RETRY_SECONDS = 0.5
TERMINAL = frozenset({"completed_successfully", "completed_with_failures", "failed_critically", "cancelled"})


@dataclass(slots=True)
class FollowedBatch:
    """A registered batch: how long its registration took (seconds), and its last status body."""

    plan: PlannedBatch
    batch_id: str
    registration_s: float
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether its last known status is terminal."""
        return self.status.get("status") in TERMINAL


class DemoClient:
    """Registers and follows batches at one api, `concurrency` at a time.

    A failed request is repeated with the same key, which is safe.
    """

    def __init__(self, url: str, *, concurrency: int = CONCURRENCY) -> None:
        self._url = url
        self._concurrency = concurrency
        self.batches: list[FollowedBatch] = []

    async def register_all(self, planned: Sequence[PlannedBatch]) -> None:
        """Register all, `concurrency` at a time."""
        gate = asyncio.Semaphore(self._concurrency)
        async with (
            httpx.AsyncClient(base_url=self._url, timeout=30, trust_env=False) as http,
            asyncio.TaskGroup() as tasks,
        ):
            for plan in planned:
                tasks.create_task(self._register(http, gate, plan))

    async def follow_all(
        self, number: int, *, seconds: float, on_change: Callable[[], None], check: Callable[[], None]
    ) -> bool:
        """Follow batches, while they are being registered too, until `number` have ended.

        `check` may raise to end the wait. Returns False if that takes more than `seconds`.
        """
        deadline = time.monotonic() + seconds
        gate = asyncio.Semaphore(self._concurrency)
        async with httpx.AsyncClient(base_url=self._url, timeout=30, trust_env=False) as http:
            while sum(batch.ended for batch in self.batches) < number:
                if time.monotonic() > deadline:
                    return False
                check()
                async with asyncio.TaskGroup() as tasks:
                    for batch in [batch for batch in self.batches if not batch.ended]:
                        tasks.create_task(self._read_status(http, gate, batch))
                on_change()
                await asyncio.sleep(_POLL_SECONDS)
        return True

    async def _register(self, http: httpx.AsyncClient, gate: asyncio.Semaphore, plan: PlannedBatch) -> None:
        async with gate:
            started = time.monotonic()
            response = await _persistently(http, "POST", "/v1/batches/register", plan)
            self.batches.append(FollowedBatch(plan, response["batch_id"], time.monotonic() - started))

    async def look_at(self, http: httpx.AsyncClient, batch: FollowedBatch) -> None:
        """Act on a status that was just read; a client of another kind overrides it."""

    async def _read_status(self, http: httpx.AsyncClient, gate: asyncio.Semaphore, batch: FollowedBatch) -> None:
        async with gate:
            batch.status = await _persistently(http, "GET", f"/v1/batches/{batch.batch_id}/status", None)
            await self.look_at(http, batch)


async def _persistently(http: httpx.AsyncClient, method: str, path: str, plan: PlannedBatch | None) -> dict[str, Any]:
    headers = {"Idempotency-Key": plan.key} if plan is not None else {}
    for _ in range(_TRIES):
        try:
            response = await http.request(method, path, json=None if plan is None else plan.body, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        response.raise_for_status()
        body: dict[str, Any] = response.json()
        return body
    raise TimeoutError(f"{method} {path} was not answered in {_TRIES} tries")
