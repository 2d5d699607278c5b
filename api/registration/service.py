"""The service behind registrations: it checks the body, has the request decided, and returns the answer."""

from typing import Any, NamedTuple
from uuid import uuid4

from api.errors import Problem, invalid_body
from api.registration.reply import answer_of
from api.requests.exchange import NewRequest, RequestExchange
from api.requests.keys import check_key
from api.routes.request_body import off_the_loop
from schemas.errors import EraGap, InvalidRequest
from schemas.ids import keyed_batch_id
from schemas.internal.events import Principal
from schemas.internal.history import Answer
from schemas.public.registration import PeerEra, RegistrationPolicy, fingerprint, idempotency_scope, parse_registration
from schemas.public.requests import RequestKind
from schemas.topics import TopicTable

_WITH_KEY = "Send it again with the same Idempotency-Key, or poll the Location until the batch exists."
_WITHOUT_KEY = "Poll the Location until the batch exists. Without an Idempotency-Key a repeat is another batch."


class RegistrationService(NamedTuple):
    """Registers batches."""

    exchange: RequestExchange
    policy: RegistrationPolicy

    async def register(
        self, body: dict[str, Any], principal: Principal, correlation_id: str, key: str | None, *, size: int
    ) -> Answer:
        """Return the first answer of this batch; `size` is the body's size in bytes. Raises `Problem` otherwise."""
        until = self.exchange.until()
        await off_the_loop(size, lambda: check_registration(body, self.policy, principal))
        request = NewRequest(
            kind=RequestKind.REGISTER,
            batch_id=str(uuid4()) if key is None else _keyed(principal, body, key),
            principal=principal,
            correlation_id=correlation_id,
            body=body,
            size=size,
            if_undecided=_WITHOUT_KEY if key is None else _WITH_KEY,
        )
        answer = answer_of(await self.exchange.decide(request, until))
        await self.exchange.wait_until_visible(answer.batch_id, answer.version, until)
        return answer


def policy_of(topics: TopicTable, peer_era: PeerEra) -> RegistrationPolicy:
    """Return the policy by which the api checks the body of a registration; the router chooses the pipeline."""
    return RegistrationPolicy(pipelines=None, peer_era=peer_era, limits=topics.limits, topics=topics)


def check_registration(body: dict[str, Any], policy: RegistrationPolicy, principal: Principal) -> None:
    """Raise `Problem` 400 if the body is invalid, and 422 if the peers' era does not support it."""
    try:
        parse_registration(body, policy, principal)
        fingerprint(body)
    except EraGap as error:
        raise Problem(422, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    except InvalidRequest as error:
        raise invalid_body(error) from error


def _keyed(principal: Principal, body: dict[str, Any], key: str) -> str:
    organisation, subject = idempotency_scope(principal, body)
    return keyed_batch_id(organisation, subject, check_key(key))
