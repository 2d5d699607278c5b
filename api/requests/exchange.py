"""The exchange of a request for its decision: write it to Kafka, then wait for the record that answers it."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from api.errors import Problem, kafka_unavailable, not_ready
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogRecord
from api.kafka_log.request_producer import RequestLog
from api.kafka_log.waiters import within
from api.paths import status_path
from api.queries.batches import Batches
from api.requests.decided import answers, decided
from api.routes.request_body import off_the_loop, too_large
from schemas.errors import BrokerError, Code, RecordFormatError, RecordTooLarge
from schemas.internal.events import Principal
from schemas.internal.history import HistoryRecord
from schemas.limits import Limits
from schemas.public.requests import RequestKind, request_record

_FOLD_S = 2.0


class NewRequest(NamedTuple):
    """A request that has not been written yet; its body is checked."""

    kind: RequestKind
    batch_id: str
    principal: Principal
    correlation_id: str
    body: dict[str, Any]
    size: int
    """Size of the body in bytes: a large one is encoded in a thread."""
    if_undecided: str
    """What the client can do if no decision comes in time."""
    request_id: str = ""
    """Empty: a new one."""


class RequestExchange(NamedTuple):
    """Writes requests and waits for their decisions; `response_timeout_s` bounds both together."""

    follower: KafkaLogFollower
    batches: Batches
    requests: RequestLog
    limits: Limits
    event_type: str
    """Name of the request topic."""
    response_timeout_s: float

    def until(self) -> float:
        """Return the monotonic time by which a request that comes now must be answered."""
        return time.monotonic() + self.response_timeout_s

    async def decide(self, request: NewRequest, until: float) -> HistoryRecord:
        """Write the request with acks=all and return the history record that answers it.

        Raises `Problem`: 413 if the record is too large; 422 or 500 if the request became a dead letter; 503 if the
        log is not read up to its end yet, if Kafka does not acknowledge the request, or if no decision comes in time.
        """
        self.require_ready()
        request_id = request.request_id or str(uuid4())
        answered = self.follower.answer(request_id, lambda record: answers(record, request.correlation_id))
        encode = partial(
            request_record,
            request_id=request_id,
            kind=request.kind,
            batch_id=request.batch_id,
            principal=request.principal,
            correlation_id=request.correlation_id,
            body=request.body,
            now=datetime.now(UTC),
            event_type=self.event_type,
        )
        try:
            await self._write(request.batch_id, await off_the_loop(request.size, encode))
            record = await self._answer(answered, request, until)
        finally:
            answered.cancel()
        try:
            return decided(record)
        except RecordFormatError as error:
            self.follower.give_up(error)
            raise _not_ready(self.follower) from error

    def require_ready(self) -> None:
        """Raise `Problem` 503 unless this process has read the log up to its end, so that it can see a decision."""
        if not self.follower.ready:
            raise _not_ready(self.follower)

    async def wait_until_visible(self, batch_id: str, version: int, until: float) -> None:
        """Wait until this process has read the decision, so that a status request right after the answer shows it."""
        with suppress(Problem):  # the answer is valid: the decision is committed
            left = min(_FOLD_S, until - time.monotonic())
            seen = asyncio.ensure_future(self.batches.read_version(batch_id, version, left))
            await within(seen, left)

    async def _write(self, batch_id: str, value: bytes) -> None:
        limit = self.limits.input_bytes
        if len(value) + len(batch_id.encode()) > limit:
            raise too_large(limit)
        try:
            await self.requests.append(batch_id.encode(), value)
        except RecordTooLarge as error:
            raise too_large(limit) from error
        except BrokerError as error:
            raise kafka_unavailable(
                error.message,
                next_step=error.next_step,
                code=error.code,
                location=status_path(batch_id),
                extra={"batch_id": batch_id},
            ) from error

    @staticmethod
    async def _answer(answered: "asyncio.Future[LogRecord]", request: NewRequest, until: float) -> LogRecord:
        if await within(answered, until - time.monotonic()):
            return answered.result()
        raise Problem(
            503,
            Code.NO_ANSWER,
            "The request is durable in Kafka, but no decision came in time; "
            "repeating it with the same Idempotency-Key is safe.",
            next_step=request.if_undecided,
            error="No answer in time",
            headers={"Retry-After": "2", "Location": status_path(request.batch_id)},
            extra={"batch_id": request.batch_id},
        )


def _not_ready(follower: KafkaLogFollower) -> Problem:
    why = follower.error or follower.waiting_for or "the Kafka log is still being read up to its end"
    return not_ready(f"Requests cannot be answered yet: {why}")
