"""The service behind control: it checks a request, and has it decided or previews the decision."""

import time
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from api.control.preview import Preview, States, preview
from api.control.refusals import refused
from api.errors import Problem, batch_not_found, invalid_body
from api.requests.decided import FirstDecision, first_decision
from api.requests.exchange import NewRequest, RequestExchange
from api.requests.keys import check_key
from api.routes.request_body import off_the_loop
from schemas.errors import InvalidRequest
from schemas.ids import control_request_id
from schemas.inbound.models import MAX_BATCH_ID
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Principal
from schemas.internal.history import Answer
from schemas.internal.status import StatusRecord
from schemas.public.control import parse_control
from schemas.public.registration import RegistrationPolicy, fingerprint
from schemas.public.requests import RequestKind
from schemas.text import unusable_character

_WITH_KEY = "Send it again with the same Idempotency-Key, or read the status at the Location to see what came of it."
_WITHOUT_KEY = (
    "Read the status at the Location to see what came of it. Without an Idempotency-Key a repeat is another request, "
    "which is decided in the state that this one leads to."
)


class ControlRequest(NamedTuple):
    """A request to control a batch, as a route has read it."""

    kind: RequestKind
    batch_id: str
    body: dict[str, Any]
    principal: Principal
    correlation_id: str
    key: str | None
    """The client's Idempotency-Key."""
    size: int
    """Size of the body in bytes."""


class Controlled(NamedTuple):
    """A request that was applied."""

    request_id: str
    first: FirstDecision
    answer: Answer
    batch: StatusRecord | None
    """The newest snapshot of the batch; None where it cannot be read in time."""


class ControlService(NamedTuple):
    """Controls batches."""

    exchange: RequestExchange
    states: States
    policy: RegistrationPolicy

    async def control(self, asked: ControlRequest) -> Controlled:
        """Have the request decided, and return the decision.

        Raises `Problem` for a refusal: 404 for a batch that does not exist or belongs to somebody else, 409, 412 or
        422 for another reason. That a batch does not exist is decided in the order of its events, so it is as certain
        as a 404 of a status, whatever this process or the projection have read.
        """
        until = self.exchange.until()
        request = await self._checked(asked)
        history = await self.exchange.decide(request, until)
        first = first_decision(history)
        answer = history.answer
        if first.disposition is not Disposition.APPLIED or first.reason is ReasonCode.OVERSIZED or answer is None:
            raise refused(
                first.reason,
                request.batch_id,
                status=None if answer is None else answer.status.value,
                version=None if answer is None else answer.version,
            )
        await self.exchange.wait_until_visible(answer.batch_id, answer.version, until)
        return Controlled(request.request_id, first, answer, await self._snapshot(answer, until))

    async def preview(self, asked: ControlRequest) -> Preview:
        """Return what would be decided on the request now; nothing is written."""
        request = await self._checked(asked)
        found = await preview(self.exchange.batches, self.states, self.policy, request)
        if found.reason is ReasonCode.FOREIGN_BATCH_ID:
            raise batch_not_found(request.batch_id)
        return found

    async def _checked(self, asked: ControlRequest) -> NewRequest:
        """Raises `Problem` 400 for a body or key that cannot be used, 404 for an id that no batch can have."""
        await off_the_loop(asked.size, lambda: check_control(asked.kind, asked.body, self.policy))
        who, key = asked.principal, asked.key
        if key is not None:
            key = check_key(key)
        if not 0 < len(asked.batch_id) <= MAX_BATCH_ID or unusable_character(asked.batch_id) is not None:
            raise batch_not_found(asked.batch_id)
        return NewRequest(
            kind=asked.kind,
            batch_id=asked.batch_id,
            principal=who,
            correlation_id=asked.correlation_id,
            body=asked.body,
            size=asked.size,
            if_undecided=_WITHOUT_KEY if key is None else _WITH_KEY,
            request_id=str(uuid4())
            if key is None
            else control_request_id(asked.batch_id, who.organisation, who.subject, key),
        )

    async def _snapshot(self, answer: Answer, until: float) -> StatusRecord | None:
        batches = self.exchange.batches
        held = batches.held(answer.batch_id)
        if held is not None and held.version >= answer.version:
            return held  # the projection, which can be slow, need not be asked
        with suppress(Problem):
            return await batches.find_when(
                answer.batch_id, lambda found: found.version >= answer.version, max(0.0, until - time.monotonic())
            )
        return None


def check_control(kind: RequestKind, body: dict[str, Any], policy: RegistrationPolicy) -> None:
    """Raise `Problem` 400 if the body is invalid."""
    try:
        parse_control(kind, body, policy.limits)
        fingerprint(body)
    except InvalidRequest as error:
        raise invalid_body(error) from error
