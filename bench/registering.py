"""Measures registrations over HTTP; each ends when its event is committed in Kafka."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.http import Connection
from cli.demo.table import percentile

_PATH = "/v1/batches/register"
_CONNECTIONS = 64
CLOSED_LOOP = 128
"""Number of callers, each of which registers one batch after the other."""
_WARM_UP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationResult:
    """Latencies in seconds, from the time a request was due to its response."""

    per_second: float
    p50: float
    p99: float
    statuses: dict[int, int]
    """Number of responses by status; 202 is a committed registration."""


def at_rate(url: str, *, per_second: float, seconds: float, essays: int, run: str) -> RegistrationResult:
    """Register at a steady rate, independently of the responses."""
    return asyncio.run(_Load(url, essays, run).steady(per_second, seconds))


def as_fast_as_possible(url: str, *, seconds: float, essays: int, run: str) -> RegistrationResult:
    """Register with many callers, each of which continues after its response."""
    return asyncio.run(_Load(url, essays, run).closed(CLOSED_LOOP, seconds))


class _Load:
    def __init__(self, url: str, essays: int, run: str) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._run = run
        self._number = 0
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()
        self._took: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._body = json.dumps(
            {
                "expected_essay_count": essays,
                "course_code": "SV1",
                "class_designation": "Class 9A",
                "teacher_name": "Ms Berg",
                "essay_instructions": "Argue for or against school uniforms.",
                "enable_cj_assessment": True,
            }
        ).encode()

    async def steady(self, per_second: float, seconds: float) -> RegistrationResult:
        await self._prepare(_CONNECTIONS)
        start = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(per_second * seconds)):
                due = start + number / per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self._register(due))
        return await self._result(time.monotonic() - start)

    async def closed(self, callers: int, seconds: float) -> RegistrationResult:
        await self._prepare(callers)
        start = time.monotonic()

        async def call() -> None:
            while time.monotonic() < start + seconds:
                await self._register(time.monotonic())

        async with asyncio.TaskGroup() as tasks:
            for _ in range(callers):
                tasks.create_task(call())
        return await self._result(time.monotonic() - start)

    async def _prepare(self, connections: int) -> None:
        for _ in range(connections):
            self._idle.put_nowait(await Connection.open(self._host, self._port))
        for _ in range(_WARM_UP):
            await self._register(time.monotonic())
        self._took.clear()
        self._statuses.clear()

    async def _register(self, due: float) -> None:
        """Register once; `due` is the scheduled time."""
        connection = await self._idle.get()
        self._number += 1
        status = await connection.post(_PATH, self._body, f"{self._run}-{self._number}")
        self._idle.put_nowait(connection)
        self._took.append(time.monotonic() - due)
        self._statuses[status] += 1

    async def _result(self, seconds: float) -> RegistrationResult:
        while not self._idle.empty():
            await self._idle.get_nowait().close()
        took = sorted(self._took)
        return RegistrationResult(
            per_second=self._statuses[202] / seconds,
            p50=percentile(took, 50),
            p99=percentile(took, 99),
            statuses=dict(self._statuses),
        )
