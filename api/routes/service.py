"""Routes about the service itself: health and metrics."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.dependencies import services_of

service_routes = APIRouter(tags=["service"])
_NO_STORE = {"Cache-Control": "no-store"}


@service_routes.get("/healthz")
async def healthz(request: Request) -> Response:
    """Tell whether the whole is well: 200 with the original's body, or 503 with reasons."""
    report = services_of(request).health.report()
    return JSONResponse(report.body(), status_code=200 if report.well else 503, headers=_NO_STORE)


@service_routes.get("/livez")
async def livez(request: Request) -> Response:
    """Tell whether this process should go on: 503 where it cannot follow the log any more."""
    error = services_of(request).follower.error
    return _told([] if error is None else [f"The log is not followed any more: {error}"])


@service_routes.get("/readyz")
async def readyz(request: Request) -> Response:
    """Tell whether this process accepts registrations."""
    return _told(services_of(request).health.follower_reasons())


@service_routes.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the metrics in the Prometheus or the OpenMetrics format, as the Accept header asks."""
    services = services_of(request)
    follower = services.follower
    services.metrics.health(services.health.report(), ready=follower.ready, held=len(follower.snapshots))
    body, content_type = services.metrics.exposition(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type, **_NO_STORE})


def _told(reasons: list[str]) -> JSONResponse:
    body = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ok"}
    return JSONResponse(body, status_code=503 if reasons else 200, headers=_NO_STORE)
