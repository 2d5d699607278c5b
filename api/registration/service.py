"""The service behind registrations: it writes the request, waits for the decision, and returns the answer."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from api.errors import Problem
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogRecord
from api.kafka_log.request_producer import RequestLog
from api.kafka_log.waiters import within
from api.paths import status_path
from api.queries.batches import Batches
from api.registration.reply import answer_of
from api.routes.request_body import off_the_loop, too_large
from schemas.errors import BrokerError, Code, EraGap, InvalidRequest, RecordFormatError, RecordTooLarge
from schemas.ids import keyed_batch_id
from schemas.internal.events import Principal
from schemas.internal.history import Answer
from schemas.internal.pipeline import PipelineDefinition
from schemas.public.registration import PeerEra, RegistrationPolicy, fingerprint, idempotency_scope, parse_registration
from schemas.public.requests import RequestKind, request_record
from schemas.topics import Topic, TopicTable

_LONGEST_KEY = 255
_FOLD_S = 2.0
_PHASELESS = PipelineDefinition(name="chosen by the router", version=0, phases=())
"""A placeholder: only the router reads pipeline definitions and chooses phases; the api checks the body."""


class RegistrationService(NamedTuple):
    """Registers batches; `response_timeout_s` bounds the write and the wait together."""

    follower: KafkaLogFollower
    batches: Batches
    requests: RequestLog
    policy: RegistrationPolicy
    response_timeout_s: float

    async def register(
        self, body: dict[str, Any], principal: Principal, correlation_id: str, key: str | None, *, size: int
    ) -> Answer:
        """Return the first answer of this batch; `size` is the body's size in bytes. Raises `Problem` otherwise."""
        until = time.monotonic() + self.response_timeout_s
        await off_the_loop(size, lambda: check_registration(body, self.policy, principal))
        batch_id = str(uuid4()) if key is None else _keyed(principal, body, key)
        if not self.follower.ready:
            raise _not_ready(self.follower)
        request_id = str(uuid4())
        answered = self.follower.answer(request_id)
        encode = partial(
            request_record,
            request_id=request_id,
            kind=RequestKind.REGISTER,
            batch_id=batch_id,
            principal=principal,
            correlation_id=correlation_id,
            body=body,
            now=datetime.now(UTC),
            event_type=self.policy.topics.name(Topic.REQUESTS),
        )
        try:
            await self._write(batch_id, await off_the_loop(size, encode))
            record = await self._answer(answered, batch_id, until, keyed=key is not None)
        finally:
            answered.cancel()
        try:
            answer = answer_of(record)
        except RecordFormatError as error:
            self.follower.give_up(error)
            raise _not_ready(self.follower) from error
        await self._wait_until_visible(answer, until)
        return answer

    async def _wait_until_visible(self, answer: Answer, until: float) -> None:
        """Wait until this process has read the decision, so that a status request right after the answer shows it."""
        with suppress(Problem):  # the answer is valid: the decision is committed
            left = min(_FOLD_S, until - time.monotonic())
            seen = asyncio.ensure_future(self.batches.read_version(answer.batch_id, answer.version, left))
            await within(seen, left)

    async def _write(self, batch_id: str, value: bytes) -> None:
        limit = self.policy.limits.input_bytes
        if len(value) + len(batch_id) > limit:
            raise too_large(limit)
        try:
            await self.requests.append(batch_id.encode(), value)
        except RecordTooLarge as error:
            raise too_large(limit) from error
        except BrokerError as error:
            raise Problem(
                503,
                error.code,
                error.message,
                next_step=error.next_step,
                error="Kafka is not available",
                headers={"Retry-After": "2", "Location": status_path(batch_id)},
                extra={"batch_id": batch_id},
            ) from error

    @staticmethod
    async def _answer(answered: "asyncio.Future[LogRecord]", batch_id: str, until: float, *, keyed: bool) -> LogRecord:
        if await within(answered, until - time.monotonic()):
            return answered.result()
        raise Problem(
            503,
            Code.NO_ANSWER,
            "The request is durable in Kafka, but no decision came in time; "
            "repeating it with the same Idempotency-Key is safe.",
            next_step="Send it again with the same Idempotency-Key, or poll the Location until the batch exists."
            if keyed
            else "Poll the Location until the batch exists. Without an Idempotency-Key a repeat is another batch.",
            error="No answer in time",
            headers={"Retry-After": "2", "Location": status_path(batch_id)},
            extra={"batch_id": batch_id},
        )


def policy_of(topics: TopicTable, peer_era: PeerEra) -> RegistrationPolicy:
    """Return the policy by which the api checks registrations."""
    return RegistrationPolicy(pipeline=_PHASELESS, peer_era=peer_era, limits=topics.limits, topics=topics)


def check_registration(body: dict[str, Any], policy: RegistrationPolicy, principal: Principal) -> None:
    """Raise `Problem` 400 if the body is invalid, and 422 if the peers' era does not support it."""
    try:
        parse_registration(body, policy, principal)
        fingerprint(body)
    except EraGap as error:
        raise Problem(422, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    except InvalidRequest as error:
        raise Problem(
            400,
            error.code,
            error.message,
            next_step=error.next_step,
            error="Validation Error",
            details=[dict(fault) for fault in error.details],
        ) from error


def _keyed(principal: Principal, body: dict[str, Any], key: str) -> str:
    if not key or len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise Problem(
            400,
            Code.HEADER,
            f"Idempotency-Key must be 1 to {_LONGEST_KEY} printable ASCII characters.",
            next_step="Send a UUID of your own as the key.",
            error="Validation Error",
            details=[{"type": "header", "loc": ["header", "Idempotency-Key"], "msg": "not usable as a key"}],
        )
    organisation, subject = idempotency_scope(principal, body)
    return keyed_batch_id(organisation, subject, key)


def _not_ready(follower: KafkaLogFollower) -> Problem:
    why = follower.error or follower.waiting_for or "the Kafka log is still being read up to its end"
    return Problem(
        503,
        Code.NOT_READY,
        f"Registrations cannot be answered yet: {why}",
        next_step="Send it again in a moment; /healthz says what is wrong if it stays so.",
        error="Service is not ready",
        headers={"Retry-After": "1"},
    )
