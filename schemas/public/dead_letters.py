"""Bodies of requests about dead letters."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import InvalidRequest
from schemas.internal.dead_letters import MAX_NOTE
from schemas.public.validation_errors import faults, sentence
from schemas.text import NO_CONTROL_CHARACTERS

_Text = Annotated[str, Field(min_length=1, max_length=255, pattern=NO_CONTROL_CHARACTERS)]
LetterState = Literal["open", "replayed", "discarded"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkLetter(_Body):
    """Replay or discard one dead letter."""

    note: str = Field(default="", max_length=MAX_NOTE, pattern=NO_CONTROL_CHARACTERS)
    """Why, in the operator's words."""


class LetterSelection(_Body):
    """Which dead letters; all that is given must fit."""

    code: _Text | None = None
    topic: _Text | None = None
    """Real name of the topic that the records were first read from."""
    batch: _Text | None = None
    since: datetime | None = None
    """Dead letters of this time or later; without a zone, UTC."""
    until: datetime | None = None
    """Dead letters before this time."""
    state: LetterState = "open"


class WorkLetters(WorkLetter):
    """Replay or discard a group of dead letters."""

    filter: LetterSelection
    limit: int | None = Field(default=None, ge=1)
    """The oldest so many."""


def parse_body(model: type[_Body], body: dict[str, Any]) -> Any:
    """Return the body as `model`. Raises `InvalidRequest` with a fault for each wrong member."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = faults(error)
        raise InvalidRequest(
            sentence(found),
            next_step="Correct the request's body and send it again; docs/dead-letters.md lists its members.",
            details=found,
        ) from error


def milliseconds(moment: datetime | None) -> int | None:
    """Return a time as Unix milliseconds; one without a zone is UTC."""
    if moment is None:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
