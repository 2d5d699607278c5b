"""Examples of the answers that explain a batch, made by the code that makes the answers."""

from functools import cache
from typing import Any

import msgspec

from api.asyncapi.story import BATCH, Story, tell
from api.explain.service import ExplainedDecision, NextDecision
from api.routes.explain_response import diff_body, explained_body, next_body, what_if_body
from api.routes.status_response import status_body
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import Change, Reason
from schemas.internal.records import decode_history, decode_inbox
from schemas.topics import Topic, TopicTable
from state.differences import differences
from state.replay import position_of
from state.what_if import Command, DifferentDecision, Told, WhatIf

_FAILED = Reason(code=ReasonCode.PHASE_FAILED, phase="spellcheck", attempt=1, essays=0)


@cache
def examples() -> dict[str, Any]:
    """Return an example of each body, by the name of its schema."""
    story = tell(TopicTable())
    before, after = story.registered, story.running
    changes = differences(status_body(before), status_body(after))
    bodies: dict[str, Any] = {
        "BatchDiff": diff_body(BATCH, before.version, after.version, changes),
        "ExplainedDecision": explained_body(_decision(story)),
        "NextDecision": next_body(_next(story)),
        "WhatIf": what_if_body(_what_if(after.version)),
    }
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(bodies))
    return found


def _decision(story: Story) -> ExplainedDecision:
    history = decode_history(story.records[Topic.HISTORY].value or b"")
    record = decode_inbox(story.records[Topic.INBOX].value or b"")
    position = position_of(history)
    return ExplainedDecision(
        history=history,
        position=position,
        event=msgspec.to_builtins(record.body),
        before=story.registered,
        after=story.running,
        changes=differences(status_body(story.registered), status_body(story.running)),
        effects=history.effects,
        differences=(),
        previous=history.based_on,
        next=position + 1,
    )


def _next(story: Story) -> NextDecision:
    before, after = story.registered, story.running
    return NextDecision(
        event="essays_ready",
        time_ms=after.updated_ms,
        before=before,
        after=after,
        history=decode_history(story.records[Topic.HISTORY].value or b""),
        changes=differences(status_body(before), status_body(after))[:3],
    )


def _what_if(version: int) -> WhatIf:
    held = Told(
        disposition=Disposition.APPLIED,
        reason=_FAILED,
        sentence="spellcheck failed: 0 essays passed, 3 lost",
        status="processing_pipelines",
        changes=(Change(phase="spellcheck", before="dispatch_initiated", after="held"),),
        commands=(),
    )
    ended = Told(
        disposition=Disposition.APPLIED,
        reason=_FAILED,
        sentence="spellcheck failed: 0 essays passed, 3 lost; the batch has ended",
        status="failed_critically",
        changes=(
            Change(before="processing_pipelines", after="failed_critically"),
            Change(phase="spellcheck", before="dispatch_initiated", after="failed"),
        ),
        commands=(),
    )
    different = DifferentDecision(
        position=version + 1, time_ms=1_764_165_982_000, event="phase_concluded", recorded=ended, instead=held
    )
    return WhatIf(
        batch_id=BATCH,
        pipeline="default",
        pipeline_version=2,
        requested_phases=("spellcheck", "nlp"),
        records=4,
        same_until=version,
        decisions=(different,),
        new_commands=(Command("nlp", 1, 3),),
        dropped_commands=(),
        status_recorded="failed_critically",
        status_instead="processing_pipelines",
        open=True,
        sentence=f"The same up to {version}; then: spellcheck failed: 0 essays passed, 3 lost; 1 new command with "
        "3 essays; no outcome of nlp is on record, so the rest is open.",
    )
