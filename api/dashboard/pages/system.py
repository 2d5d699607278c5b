"""The running system: processes, the partitions that they read, the gate of deadlines, and what differs."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.auth import READ
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views.stamp import Stamp
from api.dashboard.views.system import system_page
from api.dependencies import require_principal, services_of

router = page_router()


@router.get("/system")
async def system(request: Request, lagging: Annotated[str, Query(max_length=5)] = "") -> Response:
    """Return the state of the system; with `lagging=yes`, only those partitions that are behind."""
    require_principal(request, READ)
    now_ms = now_of(request)
    only_lagging = lagging == "yes"
    view = system_page(services_of(request).system.now(), now_ms=now_ms, only_lagging=only_lagging)
    return render(
        request,
        "system.html",
        active="system",
        title="System",
        refetch="every 3s",
        now_ms=now_ms,
        view=view,
        only_lagging=only_lagging,
        stamp=Stamp(as_of_ms=view.heard_ms),
    )
