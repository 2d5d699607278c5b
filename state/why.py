"""Why a batch is where it is, since when, what comes next, and what somebody can do about it.

Pure: the same snapshot, time and lags give the same answer, so that page, list, command line and alert say the same.
docs/why.md lists the codes.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from schemas.internal.pipeline import PipelineDefinition
from schemas.internal.status import StatusRecord
from state.advice import advice
from state.explanation import batch as whole
from state.explanation import phases
from state.explanation.ended import ended
from state.explanation.model import Action, Facts, Finding, Lag, Rule, Usual, Why, WhyCode

__all__ = ["Action", "Lag", "Usual", "Why", "WhyCode", "why"]

_NOTHING_USUAL: Mapping[str, Usual] = MappingProxyType({})
_RULES: tuple[Rule, ...] = (
    whole.paused,
    whole.deadline_passed,
    whole.essays,
    phases.held,
    phases.stalled,
    phases.overdue,
    phases.retrying,
    phases.joining,
    phases.commanded,
)
"""Rules for a batch that goes on; the first one that fits explains it."""


def why(
    batch: StatusRecord,
    now_ms: int,
    lags: Sequence[Lag] = (),
    *,
    usual: Mapping[str, Usual] = _NOTHING_USUAL,
    open_letters: int = 0,
    definition: PipelineDefinition | None = None,
) -> Why:
    """Return why `batch` is where it is at `now_ms` (Unix milliseconds).

    `lags` are those of the partitions that the batch's events pass: its partition of the inbox, and the inputs of the
    router. `usual` says how long each phase takes, by its name; `open_letters` how many dead letters of the batch are
    open. `definition` is the pipeline definition that the batch runs. Whatever is left out is not told.
    """
    definition = definition if definition is not None and _runs(batch, definition) else None
    facts = Facts(batch, now_ms, lags, usual, open_letters, definition)
    found = _found(facts)
    found = whole.pipe(facts, found) or found
    found = whole.letters(facts, found) or found
    return Why(
        code=found.code,
        since_ms=found.since_ms,
        sentence=found.sentence,
        waiting_for=found.waiting_for,
        next=found.next,
        next_ms=found.next_ms,
        advice=advice(batch, definition),
    )


def _found(facts: Facts) -> Finding:
    if facts.batch.status.terminal:
        return ended(facts) or whole.unknown(facts)
    return next((found for rule in _RULES if (found := rule(facts)) is not None), None) or whole.unknown(facts)


def _runs(batch: StatusRecord, definition: PipelineDefinition) -> bool:
    """Whether the definition can be the one of the batch; a file can change under a name and version."""
    same = (definition.name, definition.version) == (batch.pipeline, batch.pipeline_version)
    return same and {phase.name for phase in definition.phases} == batch.phases.keys()
