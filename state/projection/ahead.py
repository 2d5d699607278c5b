"""A projection that has read more than a topic holds: what comes on that topic would look old to it."""

from schemas.errors import Code, ProjectionError


def require_not_ahead(place: str, projected: int, end: int) -> None:
    """Raise `ProjectionError` where a partition ends before the next offset that the projection is to read from it."""
    if projected > end:
        raise ProjectionError(
            f"The projection has read {place} up to offset {projected}, but it ends at {end}: the topic was deleted "
            "and made again.",
            code=Code.PROJECTION_AHEAD,
            next_step="Delete the projection database, or point BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL at a new "
            "one: the projector rebuilds it from Kafka.",
        )
