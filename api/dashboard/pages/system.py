"""The running system: processes, the partitions that they read, the gate of deadlines, and what differs."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import READ, may
from api.dashboard.forms import read_form, text_field
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views.stamp import Stamp
from api.dashboard.views.system import system_page
from api.dependencies import require_principal, services_of
from state.decision.requests import ANY_OWNER

router = page_router()


@router.get("/system")
async def system(request: Request, lagging: Annotated[str, Query(max_length=5)] = "") -> Response:
    """Return the state of the system; with `lagging=yes`, only those partitions that are behind."""
    principal = require_principal(request, READ)
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
        may_forget=may(principal, ANY_OWNER),
        stamp=Stamp(as_of_ms=view.heard_ms),
    )


@router.post("/system/forget")
async def forget_process(request: Request) -> Response:
    """Forget a process that was removed for good, and return to the page."""
    principal = require_principal(request, ANY_OWNER)
    name = text_field(await read_form(request), "process")
    await services_of(request).forgetting.forget(name, principal)
    return RedirectResponse("/system", status_code=303)
