"""Finding things by an id, or by its beginning."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import READ
from api.dashboard.rendering import render
from api.dashboard.routing import page_router
from api.dependencies import require_principal

router = page_router()

Text = Annotated[str, Query(max_length=500)]


@router.get("/search")
async def search(request: Request, q: Text = "") -> Response:
    """Lead to what an id stands for; without one, say what can be looked for."""
    require_principal(request, READ)
    wanted = q.strip()
    if wanted:
        return RedirectResponse(f"/go/{quote(wanted, safe='')}", status_code=303)
    return render(request, "search.html", active="", title="Find any id")
