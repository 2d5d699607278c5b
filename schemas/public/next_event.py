"""The body of a request that imagines the next event of a batch."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.errors import InvalidRequest
from schemas.public.control import whole_number
from schemas.public.validation_errors import faults, sentence
from schemas.text import NO_CONTROL_CHARACTERS

MOST_ESSAYS = 5_000
_Count = Annotated[int, Field(ge=0, le=MOST_ESSAYS), BeforeValidator(whole_number)]


class NextEventBody(BaseModel):
    """What happens next: an outcome of a phase, essays that are ready or provisioned, or the next deadline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: Literal["outcome", "ready", "provisioned", "deadline"]
    phase: str = Field(default="", max_length=64, pattern=NO_CONTROL_CHARACTERS)
    """Of an outcome: the phase that it is about."""
    failed: _Count = 0
    """Essays that failed in the phase; of `ready`, files that failed validation."""
    unaccounted: _Count = 0
    """Essays that the event does not name."""


def parse_next_event(body: dict[str, Any]) -> NextEventBody:
    """Return the body. Raises `InvalidRequest` with a fault for each wrong member."""
    try:
        return NextEventBody.model_validate(body)
    except ValidationError as error:
        found = faults(error)
        raise InvalidRequest(
            sentence(found),
            next_step="Correct the request's body and send it again; docs/http.md (explaining a batch) has them.",
            details=found,
        ) from error
