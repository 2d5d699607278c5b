"""Routes about the service itself: health and metrics."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.dependencies import services_of

service_routes = APIRouter(tags=["service"])
_NO_STORE = {"Cache-Control": "no-store"}


@service_routes.get("/healthz")
async def healthz(request: Request) -> Response:
    """Return the health of the whole product: 200 with the original's body, or 503 with reasons."""
    report = services_of(request).health.report()
    return JSONResponse(report.body(), status_code=200 if report.healthy else 503, headers=_NO_STORE)


@service_routes.get("/livez")
async def livez(request: Request) -> Response:
    """Return the liveness of this process: 503 if it can no longer follow the Kafka log."""
    error = services_of(request).follower.error
    return _response([] if error is None else [f"The Kafka log is no longer followed: {error}"])


@service_routes.get("/readyz")
async def readyz(request: Request) -> Response:
    """Return the readiness of this process: 200 if it accepts registrations."""
    return _response(services_of(request).health.follower_reasons())


@service_routes.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the metrics in the Prometheus or the OpenMetrics format, as the Accept header asks."""
    services = services_of(request)
    follower = services.follower
    services.metrics.health(
        services.health.report(),
        ready=follower.ready,
        held=len(follower.snapshots),
        readable=follower.projection_error is None,
    )
    body, content_type = services.metrics.exposition(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type, **_NO_STORE})


def _response(reasons: list[str]) -> JSONResponse:
    body = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ok"}
    return JSONResponse(body, status_code=503 if reasons else 200, headers=_NO_STORE)
