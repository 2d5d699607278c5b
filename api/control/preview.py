"""The preview of a request: what would be decided on it in the batch's present state. Nothing is written."""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from api.auth import may_reach
from api.errors import batch_not_found
from api.queries.batches import Batches
from api.requests.exchange import NewRequest
from api.routes.request_body import off_the_loop, too_large
from schemas.inbound.normalise import normalise
from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Event
from schemas.internal.history import HistoryRecord
from schemas.internal.outgoing import RecordPosition
from schemas.internal.status import StatusRecord
from schemas.public.registration import RegistrationPolicy
from schemas.public.requests import request_record
from schemas.topics import Topic
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import effect_note, history_record, status_record


class States(Protocol):
    """Rebuilds the state of a batch; `api.replay.states` does so from its inbox records."""

    async def state_of(self, batch_id: str) -> Batch | None:
        """Return the batch's present state, or None. Raises `Problem` if it cannot be rebuilt."""


class Preview(NamedTuple):
    """What would be decided."""

    before: Batch
    history: HistoryRecord
    after: StatusRecord
    effects: tuple[Effect, ...]

    @property
    def disposition(self) -> Disposition:
        """What would come of the request."""
        return self.history.disposition

    @property
    def reason(self) -> ReasonCode:
        """Why."""
        return self.history.reason.code

    @property
    def commands(self) -> int:
        """Number of commands to peers."""
        return len(self._commands())

    @property
    def essays(self) -> int:
        """Number of essays in these commands, an essay of two phases counted twice."""
        return sum(len(command.essays) for command in self._commands())

    def _commands(self) -> list[CommandPhase | CommandStudentMatching]:
        return [effect for effect in self.effects if isinstance(effect, CommandPhase | CommandStudentMatching)]


async def preview(batches: Batches, states: States, policy: RegistrationPolicy, request: NewRequest) -> Preview:
    """Return what would be decided on `request` now.

    Raises `Problem` 404 if there is no such batch or the caller may not reach it, 413 for a record that is too large,
    and whatever `States` raises.
    """
    found = await batches.find(request.batch_id)
    owner = None if found is None else (found.owner_organisation, found.owner_subject)
    if owner is None or not may_reach(request.principal, *owner):
        raise batch_not_found(request.batch_id)
    batch = await states.state_of(request.batch_id)
    if batch is None:
        raise batch_not_found(request.batch_id)
    event = await off_the_loop(request.size, lambda: _event(batch, policy, request))
    decision = decide(batch, event)
    after = decision.batch or batch
    notes = tuple(map(effect_note, decision.effects))
    return Preview(batch, history_record(batch, event, decision, notes), status_record(after), decision.effects)


def _event(batch: Batch, policy: RegistrationPolicy, request: NewRequest) -> Event:
    """Return the event that the request would become, read as the router reads it, at the present time.

    Raises `Problem` 413 if its record would be too large to be written.
    """
    topic = policy.topics.name(Topic.REQUESTS)
    value = request_record(
        request_id=request.request_id,
        kind=request.kind,
        batch_id=request.batch_id,
        principal=request.principal,
        correlation_id=request.correlation_id,
        body=request.body,
        now=datetime.now(UTC),
        event_type=topic,
    )
    if len(value) + len(request.batch_id.encode()) > policy.limits.input_bytes:
        raise too_large(policy.limits.input_bytes)
    record = normalise(Topic.REQUESTS, RecordPosition(topic, 0, 0), value, {}, policy)
    return Event(
        batch_id=record.batch_id,
        origin=record.origin,
        body=record.body,
        version=batch.version + 1,
        time_ms=max(time.time_ns() // 1_000_000, batch.updated_ms),
        partition=0,
        offset=0,
    )
