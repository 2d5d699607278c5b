"""Puts the parts of bulk operations together."""

from api.control.service import ControlService
from api.kafka_log.follower import KafkaLogFollower
from api.letters.service import DeadLetterService
from api.operations.dry_run import DryRuns
from api.operations.keeper import OperationKeeper
from api.operations.registry import OperationRegistry
from api.operations.selection import ProjectionSelection
from api.operations.service import Operations
from api.operations.work import ItemWorker
from api.queries.projection import BoundedProjection
from api.requests.exchange import RequestExchange
from api.resources import Resources


def operations_of(
    resources: Resources,
    follower: KafkaLogFollower,
    registry: OperationRegistry,
    projection: BoundedProjection,
    exchange: RequestExchange,
    control: ControlService,
    letters: DeadLetterService,
    *,
    retention_ms: int,
) -> Operations:
    """Return the service, whose keeper runs once its `run` is called."""
    selection = ProjectionSelection(projection)
    keeper = OperationKeeper(
        follower,
        registry,
        resources.operations,
        selection,
        ItemWorker(exchange, letters),
        retention_ms=retention_ms,
    )
    registry.passed_over = keeper.restore
    return Operations(
        registry=registry,
        keeper=keeper,
        follower=follower,
        log=resources.operations,
        ends=resources.ends,
        selection=selection,
        dry_runs=DryRuns(selection, control, letters),
    )
