"""The body of a request to begin a bulk operation."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import InvalidRequest
from schemas.internal.operations import OperationAction
from schemas.public.control import MAX_REASON
from schemas.public.validation_errors import faults, sentence
from schemas.text import NO_CONTROL_CHARACTERS

MOST_IDS = 1_000
"""Items that can be named one by one."""
MAX_ID = 255
_Text = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=NO_CONTROL_CHARACTERS)]
_Value = _Text | bool | Annotated[list[_Text], Field(min_length=1, max_length=20)]
# The schema of names that a pattern restricts says nothing about other names by itself.
_Filter = Annotated[dict[_Text, _Value], Field(json_schema_extra={"additionalProperties": False})]


class OperationBody(BaseModel):
    """What is to be done, with which items, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    action: Literal["cancel", "pause", "resume", "retry", "replay-dead-letters", "discard-dead-letters"]
    filter: _Filter | Annotated[str, Field(max_length=4_000, pattern=NO_CONTROL_CHARACTERS)] | None = None
    """Names and values as in the URL of a list, or the query of such a URL as it is."""
    ids: Annotated[list[_Text], Field(min_length=1, max_length=MOST_IDS)] | None = None
    """The items, instead of a filter."""
    reason: str = Field(min_length=1, max_length=MAX_REASON, pattern=NO_CONTROL_CHARACTERS)
    """Why, in words for a person; it stands in the history of every batch."""
    phase: _Text | None = None
    """Phase to run again; of `retry` alone, which needs it."""
    essays: Literal["failed", "all"] = "failed"
    """Essays of the phase to run again; of `retry` alone."""
    dry_run: bool = False
    """Tell what would be decided now, and begin nothing."""

    @model_validator(mode="after")
    def _check(self) -> "OperationBody":
        if (self.action == "retry") != (self.phase is not None):
            raise ValueError("phase: a retry names the phase to run again, and nothing else does")
        if self.filter is not None and self.ids is not None:
            raise ValueError("ids: give a filter or ids, not both")
        return self

    @property
    def kind(self) -> OperationAction:
        """The action."""
        return OperationAction(self.action)


def parse_operation(body: dict[str, Any]) -> OperationBody:
    """Return the body. Raises `InvalidRequest` with a fault for each wrong member."""
    try:
        return OperationBody.model_validate(body)
    except ValidationError as error:
        found = faults(error)
        raise InvalidRequest(
            sentence(found),
            next_step="Correct the request's body and send it again; docs/operations.md lists its members.",
            details=found,
        ) from error
