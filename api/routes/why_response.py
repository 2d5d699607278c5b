"""The HTTP body of why a batch is where it is (docs/why.md)."""

from typing import Annotated

from msgspec import Meta, Struct

from api.times import timestamp
from state.why import Action, Why

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class ActionBody(Struct, frozen=True, kw_only=True):
    """A control request that an owner of the batch could send now, and what would come of it."""

    name: Annotated[str, Meta(description="cancel, pause, resume or retry.")]
    phase: str | None
    essays: Annotated[str | None, Meta(description="Of a retry: failed or all.")]
    allowed: Annotated[bool, Meta(description="Whether it would be applied.")]
    refusal: Annotated[str | None, Meta(description="Reason code with which it would be refused.")]
    sentence: Annotated[str, Meta(description="The refusal in words.")]


class WhyBody(Struct, frozen=True, kw_only=True):
    """Why a batch is where it is, what comes next, and what can be done (docs/why.md)."""

    code: str
    sentence: str
    since: Time
    waiting_for: Annotated[str, Meta(description="A few words for lists; empty for a batch that has ended.")]
    next: Annotated[str, Meta(description="What happens by itself at `next_at`; empty where nothing does.")]
    next_at: Time | None
    advice: list[ActionBody]


def why_body(why: Why) -> WhyBody:
    """Return the body of an explanation."""
    return WhyBody(
        code=why.code.value,
        sentence=why.sentence,
        since=timestamp(why.since_ms),
        waiting_for=why.waiting_for,
        next=why.next,
        next_at=timestamp(why.next_ms),
        advice=[_action(action) for action in why.advice],
    )


def _action(action: Action) -> ActionBody:
    return ActionBody(
        name=action.name,
        phase=action.phase or None,
        essays=action.essays or None,
        allowed=action.allowed,
        refusal=None if action.refusal is None else action.refusal.value,
        sentence=action.sentence,
    )
