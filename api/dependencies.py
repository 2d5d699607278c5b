"""The services that routes depend on, created once per worker by the composition root."""

from typing import cast

from fastapi import Request
from msgspec import Struct

from api.admission import Room
from api.auth import may
from api.control.service import ControlService
from api.errors import Problem
from api.explain.service import ExplainService
from api.kafka_log.follower import KafkaLogFollower
from api.letters.service import DeadLetterService
from api.live.hub import Hub
from api.monitoring.forgetting import ProcessForgetting
from api.monitoring.metrics import ApiMetrics
from api.monitoring.service_health import ServiceHealth
from api.operations.service import Operations
from api.queries.batches import Batches
from api.queries.lists import BatchLists
from api.queries.pipelines import PipelineCatalogue
from api.queries.projection import BoundedProjection
from api.queries.system import SystemView
from api.queries.whys import Whys
from api.registration.backlog import BacklogGuard
from api.registration.service import RegistrationService
from api.replay.states import BatchStates
from api.settings import ApiSettings
from schemas.errors import Code
from schemas.internal.events import Principal


class Services(Struct, frozen=True):
    """The services of one worker."""

    settings: ApiSettings
    follower: KafkaLogFollower
    batches: Batches
    projection: BoundedProjection
    states: BatchStates
    """Rebuilds batches from their inbox records."""
    letters: DeadLetterService
    registration: RegistrationService
    registrations: Room
    """Bounds the registrations in progress: each can hold a body of `max_input_bytes` in memory."""
    control: ControlService
    controls: Room
    """Bounds the requests to control a batch in progress, apart from registrations: a burst of those delays none."""
    health: ServiceHealth
    metrics: ApiMetrics
    backlog: BacklogGuard
    """Refuses registrations while decisions lag."""
    lists: BatchLists
    system: SystemView
    forgetting: ProcessForgetting
    """Takes processes that were removed for good off the list."""
    pipelines: PipelineCatalogue
    whys: Whys
    """Explains batches from what is in memory."""
    explain: ExplainService
    """Explains batches from their own records."""
    live: Hub
    """Streams of live updates."""
    operations: Operations
    """Bulk operations."""


def services_of(request: Request) -> Services:
    """Return the services of the worker that answers `request`."""
    return cast("Services", request.app.state.services)


def require_principal(request: Request, scope: str) -> Principal:
    """Return the caller, whom `api.access.middleware` has checked. Raises `Problem` 403 if `scope` is missing."""
    principal: Principal = request.scope["state"]["principal"]
    if not may(principal, scope):
        raise Problem(
            403,
            Code.SCOPE,
            f"The caller may not do this: the scope {scope} is missing.",
            next_step="Use a credential with that scope, or name a user in X-User-ID where none is needed.",
            error="Forbidden",
        )
    return principal
