"""Steady registrations over HTTP while faults happen, and when the product served again after them."""

import asyncio
import time
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import httpx

from tests.e2e.http import BODY

LATE_S = 2.0
"""Seconds after which an answer counts as too late."""
CALM_S = 5.0
"""Seconds without a bad answer after which the product counts as serving again."""
_ANSWER_S = 30.0
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: when it was sent and answered (monotonic seconds), its status (0: no answer), and its batch."""

    sent: float
    answered: float
    key: str
    status: int
    batch_id: str = ""


class Traffic:
    """Registers `rate` batches a second at the apis in turn, and asks each for its health; a context manager."""

    def __init__(self, urls: list[str], *, rate: float = 20.0) -> None:
        self.registrations: list[Sample] = []
        self.health: list[Sample] = []
        self._urls = urls
        self._rate = rate
        self._stopping = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), name="traffic", daemon=True)
        self._under_way: dict[str, float] = {}
        self._reasons: list[str] = []
        """What the last two calls that were not answered well said."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop sending, and wait for the calls in progress."""
        self._stopping.set()
        self._thread.join()

    @property
    def accepted(self) -> dict[str, str]:
        """The batch of each registration that was answered with 202, by its key."""
        return {sample.key: sample.batch_id for sample in list(self.registrations) if sample.status == 202}

    def served_after(self, moment: float, *, within_s: float) -> float:
        """Return how many seconds after `moment` every call began to be answered well, for `CALM_S` seconds at least.

        Raises `AssertionError` where that takes longer than `within_s`.
        """
        while True:
            now = time.monotonic()
            good_from = max(moment, self._last_bad(moment))
            if now - good_from > CALM_S and self._seen(good_from, now):
                return good_from - moment
            last = [(round(one.answered - moment, 1), one.status) for one in self.health[-3:] + self.registrations[-3:]]
            assert good_from - moment < within_s, (
                f"not served {now - moment:.0f} s after the last fault: {last}; last said: {self._reasons[-2:]}"
            )
            assert now - moment < within_s + _ANSWER_S, f"no calls for {CALM_S} s: {last}"
            time.sleep(_LOOK_S)

    def _last_bad(self, moment: float) -> float:
        """When the last bad or late answer arrived; now, if a call has been waiting for too long."""
        now = time.monotonic()
        bad = [
            one.answered for one in list(self.registrations) if one.status != 202 or one.answered - one.sent > LATE_S
        ]
        bad += [one.answered for one in list(self.health) if one.status != 200]
        bad += [now for sent in list(self._under_way.values()) if now - sent > LATE_S]
        return max(bad, default=moment)

    def _seen(self, start: float, end: float) -> bool:
        """Whether a time span has calls of both kinds."""
        return all(
            sum(start < one.sent <= end for one in list(calls)) >= CALM_S for calls in (self.registrations, self.health)
        )

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        async with httpx.AsyncClient(timeout=_ANSWER_S, limits=limits) as client, asyncio.TaskGroup() as calls:
            health = asyncio.create_task(self._watch_health(client))
            number, start = 0, time.monotonic()
            while not self._stopping.is_set():
                url = self._urls[number % len(self._urls)]
                calls.create_task(self._register(client, url, f"fault-{number}"))
                number += 1
                await asyncio.sleep(max(0.0, start + number / self._rate - time.monotonic()))
            await health

    async def _register(self, client: httpx.AsyncClient, url: str, key: str) -> None:
        sent = time.monotonic()
        self._under_way[key] = sent
        status, body = await _call(
            client, "POST", f"{url}/v1/batches/register", json=BODY, headers={"Idempotency-Key": key}
        )
        self._note(sent, "registration", status, body.get("detail"))
        self.registrations.append(Sample(sent, time.monotonic(), key, status, str(body.get("batch_id", ""))))
        del self._under_way[key]

    def _note(self, sent: float, call: str, status: int, reason: object) -> None:
        took = time.monotonic() - sent
        if status not in (200, 202) or took > LATE_S:
            del self._reasons[:-1]
            self._reasons.append(f"{call}: {status} after {took:.1f} s: {reason}")

    async def _watch_health(self, client: httpx.AsyncClient) -> None:
        while not self._stopping.is_set():
            for url in self._urls:
                sent = time.monotonic()
                status, body = await _call(client, "GET", f"{url}/healthz", timeout=3.0)
                self._note(sent, "health", status, body.get("reasons"))
                self.health.append(Sample(sent, time.monotonic(), url, status))
            await asyncio.sleep(_LOOK_S)


async def _call(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
    try:
        answer = await client.request(method, url, **options)
        return answer.status_code, answer.json()
    except (httpx.HTTPError, ValueError):
        return 0, {}
