"""The body of a request to cancel, pause or resume a batch, or to retry one of its phases.

The api checks a body with `parse_control` before it writes the request; the router uses the same function.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.errors import InvalidRequest
from schemas.limits import Limits
from schemas.public.requests import RequestKind
from schemas.public.validation_errors import faults, sentence
from schemas.text import NO_CONTROL_CHARACTERS

MAX_REASON = 500
"""Longest reason of a request, in characters."""
MAX_VERSION = 2**53 - 1
"""Largest version that a request can name: larger integers have no exact form in RFC 8785 (the fingerprint)."""
_NEXT_STEP = "Correct the request's body and send it again; docs/requests.md lists its fields."

Name = Annotated[str, Field(min_length=1, pattern=NO_CONTROL_CHARACTERS)]
EssayIds = Annotated[list[Name], Field(min_length=1, fail_fast=True)]


def whole_number(value: Any) -> Any:
    """Refuse a text and a truth value; 7.0 is the whole number 7, as in JSON Schema."""
    if isinstance(value, str | bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic makes a fault of this one alone
    return value


class ControlBody(BaseModel):
    """Body of a request to cancel, pause or resume a batch."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    reason: Annotated[
        str, Field(max_length=MAX_REASON), BeforeValidator(lambda given: "" if given is None else given)
    ] = ""
    """Why, in words for a person; shown in the batch's history."""
    if_version: Annotated[int, Field(ge=0, le=MAX_VERSION), BeforeValidator(whole_number)] | None = None
    """Refuse the request unless the batch has this version."""


class RetryBody(ControlBody):
    """Body of a request to run a phase again."""

    phase: Name
    """Name of a phase of the batch's pipeline."""
    essays: Annotated[
        Literal["all", "failed"] | EssayIds, BeforeValidator(lambda given: "failed" if given is None else given)
    ] = "failed"
    """All essays of the phase, those that it lost, or the ids of some of its essays."""

    @property
    def selection(self) -> Literal["all", "failed"] | tuple[str, ...]:
        """The essays, each id once."""
        return self.essays if isinstance(self.essays, str) else tuple(dict.fromkeys(self.essays))


def parse_control(kind: RequestKind, body: dict[str, Any], limits: Limits) -> ControlBody:
    """Return the body of a request of `kind`; of `RequestKind.RETRY` it is a `RetryBody`.

    Raises `InvalidRequest` for a body that breaks its model, or that names more essays than a batch can hold.
    """
    model = RetryBody if kind is RequestKind.RETRY else ControlBody
    try:
        parsed = model.model_validate(body)
    except ValidationError as error:
        found = faults(error)
        raise InvalidRequest(sentence(found), next_step=_NEXT_STEP, details=found) from error
    if isinstance(parsed, RetryBody) and not isinstance(parsed.essays, str):
        _check_count(len(parsed.selection), limits)
    return parsed


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.essays:
        message = f"{count} essays; a batch holds at most {limits.essays}"
        raise InvalidRequest(
            f"essays: {message}",
            next_step=_NEXT_STEP,
            details=[{"type": "too_many_essays", "loc": ["essays"], "msg": message}],
        )
