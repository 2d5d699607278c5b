"""The composition root of the api process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache

from fastapi import FastAPI

from api import errors
from api.access.authenticate import Authenticator
from api.access.middleware import AccessMiddleware
from api.admission import AdmissionMiddleware, Room
from api.control.service import ControlService
from api.dashboard.app import install as install_dashboard
from api.dependencies import Services
from api.explain.lives import Lives
from api.explain.service import ExplainService
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.observers import Observers
from api.kafka_log.snapshot_cache import SnapshotCache
from api.letters.previews import Previews
from api.letters.service import DeadLetterService
from api.live.hub import Hub
from api.middleware import RequestMetricsMiddleware
from api.monitoring.forgetting import ProcessForgetting
from api.monitoring.metrics import ApiMetrics
from api.monitoring.processes import bound_s
from api.monitoring.service_health import ServiceHealth
from api.openapi import document as openapi
from api.operations.compose import operations_of
from api.operations.registry import OperationRegistry
from api.queries.batches import Batches
from api.queries.lists import BatchLists
from api.queries.pipelines import PipelineCatalogue
from api.queries.projection import BoundedProjection
from api.queries.projection_poll import ProjectionPoll
from api.queries.system import SystemView
from api.queries.whys import Whys
from api.registration.backlog import BacklogGuard
from api.registration.service import RegistrationService, policy_of
from api.replay.states import BatchStates
from api.requests.exchange import RequestExchange
from api.resources import MakeResources, Resources, open_resources
from api.routes.batches import batch_routes
from api.routes.bulk import bulk_routes
from api.routes.control import control_routes
from api.routes.dead_letters import letter_routes
from api.routes.explain import explain_routes
from api.routes.history import history_routes
from api.routes.lists import list_routes
from api.routes.service import service_routes
from api.routes.stream import stream_routes
from api.routes.system import system_routes
from api.server import run_workers
from api.settings import ApiSettings, api_settings
from runtime.metrics import build_info
from runtime.settings import Settings
from schemas.inbound.transform import RecordTransform
from schemas.public.registration import RegistrationPolicy
from schemas.topics import Topic
from state.pipelines.loader import load_pipelines

_OBSERVE_EVERY_S = 1.0
_QUERY_TIMEOUT_S = 5.0
_REPLAY_TIMEOUT_S = 10.0

ROUTERS = (
    batch_routes,
    control_routes,
    history_routes,
    explain_routes,
    letter_routes,
    stream_routes,
    bulk_routes,
    system_routes,
    list_routes,  # after those with words of their own behind /v1/batches/
    service_routes,
)
"""The routers of `/v1` and of what watches the service, in the order in which a path is looked up."""


def create_app(
    settings: Settings,
    make_resources: MakeResources = open_resources,
    *,
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> FastAPI:
    """Return the application. `on_failure` is called when the worker can no longer follow the Kafka log."""
    settings = api_settings(settings)
    metrics = ApiMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with make_resources(settings) as resources:
            projection = BoundedProjection(resources.projection, timeout_s=settings.projection_timeout_s)
            services, poll = _services(settings, resources, projection, metrics, on_failure)
            app.state.services = services
            works = (
                _observe(services.health),
                _observe(services.system),
                poll.run(),
                services.live.run(),
                services.operations.keeper.run(),
                services.whys.run(),
            )
            tasks = [asyncio.create_task(work) for work in works]
            try:
                with resources.reporting(services.health.own_report):
                    yield
            finally:
                services.live.close()
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                await services.follower.stop()
                services.states.stop()
                services.explain.stop()
                projection.stop()

    app = FastAPI(
        redirect_slashes=False,
        title="Batch Orchestrator",
        description="Registers batches of essays, returns their status and controls them. See docs/http.md.",
        lifespan=lifespan,
    )
    errors.install(app)
    openapi.install(app, max_essays=settings.max_essays, credentials_required=settings.credentials_required)
    openapi.install_asyncapi(app, settings.topics())
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # `include_router` would analyse every route anew for each app
    install_dashboard(app)
    authenticator = Authenticator(settings)
    app.state.authenticator = authenticator
    app.add_middleware(AccessMiddleware, settings=settings, authenticator=authenticator)
    app.add_middleware(AdmissionMiddleware, max_requests=settings.max_concurrent_requests)
    app.add_middleware(RequestMetricsMiddleware, metrics=metrics)
    return app


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code (`runtime.exit_codes`)."""
    return run_workers(api_settings(settings), create_app)


def _services(
    settings: ApiSettings,
    resources: Resources,
    projection: BoundedProjection,
    metrics: ApiMetrics,
    on_failure: Callable[[Exception], None],
) -> tuple[Services, ProjectionPoll]:
    live = Hub(metrics, most_clients=settings.max_streams, max_age_s=settings.stream_max_s)
    registry = OperationRegistry()
    follower = KafkaLogFollower(
        resources.log,
        SnapshotCache(settings.tail_bytes),
        observe=Observers(metrics.record, live.observe, registry.observe),
        failed=on_failure,
    )
    live.follow(follower)
    poll = ProjectionPoll(follower, projection, resources.ends)
    batches = Batches(follower, projection, poll, resources.ends, timeout_s=_QUERY_TIMEOUT_S)
    policy = policy_of(settings.topics(), settings.peer_era)
    exchange = RequestExchange(
        follower,
        batches,
        resources.requests,
        policy.limits,
        event_type=policy.topics.name(Topic.REQUESTS),
        response_timeout_s=settings.response_timeout_s,
    )
    states = BatchStates(
        batches, projection, resources.ends, resources.fetcher, settings.topics(), timeout_s=_REPLAY_TIMEOUT_S
    )
    health = ServiceHealth(
        follower, resources.health, max_lag_s=settings.max_lag_s, silence_s=bound_s(settings.report_interval_s)
    )
    lists = BatchLists(projection, follower, behind_s=health.projection_behind_s)
    system = SystemView(follower, health)
    pipelines = PipelineCatalogue(lambda: load_pipelines(settings.pipelines_file, settings.topics()))
    letters = DeadLetterService(projection, resources.letters, _previews(settings, states))
    control = ControlService(exchange, states, policy)
    services = Services(
        settings=settings,
        follower=follower,
        batches=batches,
        projection=projection,
        states=states,
        letters=letters,
        registration=RegistrationService(exchange, policy),
        registrations=Room(settings.max_concurrent_registrations, "registrations", "MAX_CONCURRENT_REGISTRATIONS"),
        control=control,
        controls=Room(settings.max_concurrent_registrations, "control requests", "MAX_CONCURRENT_REGISTRATIONS"),
        health=health,
        metrics=metrics,
        backlog=BacklogGuard(system.decision_lag_s, max_lag_s=settings.max_decision_lag_s),
        lists=lists,
        system=system,
        forgetting=ProcessForgetting(follower.processes, resources.operations),
        pipelines=pipelines,
        whys=Whys(lists, system, pipelines, follower),
        explain=ExplainService(Lives(batches, states), settings.topics(), build_info()["version"]),
        live=live,
        operations=operations_of(
            resources,
            follower,
            registry,
            projection,
            exchange,
            control,
            letters,
            retention_ms=settings.topics().retention_ms,
        ),
    )
    return services, poll


def _previews(settings: ApiSettings, states: BatchStates) -> Previews:
    """Return the previews of dead letters, by the router's own policy."""
    topics, limits = settings.topics(), settings.limits()

    @cache
    def transform() -> RecordTransform:
        policy = RegistrationPolicy(
            pipelines=load_pipelines(settings.pipelines_file, topics),
            peer_era=settings.peer_era,
            limits=limits,
            default_phases=settings.default_phases,
            topics=topics,
        )
        return RecordTransform(policy, limits)

    return Previews(transform, states.state_of, topics)


async def _observe(watched: ServiceHealth | SystemView) -> None:
    while True:
        watched.observe()
        await asyncio.sleep(_OBSERVE_EVERY_S)
