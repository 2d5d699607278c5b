"""Batches to draw: pipelines of up to four phases in any shape, and what the peers will say of each essay."""

from typing import NamedTuple

from hypothesis import strategies as st

from schemas.internal.effects import CommandPhase
from schemas.internal.events import EssayRef, OutcomeStatus, PhaseConcluded
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition

NAMES = ("p0", "p1", "p2", "p3")
SLOTS = 4
"""Most essays of a drawn batch."""


class Shape(NamedTuple):
    """A pipeline and the requested phases."""

    definition: PipelineDefinition
    requested: tuple[str, ...]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Draw a pipeline: any DAG, listed in any order, any of its phases asked for."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    phases = [
        PhaseDefinition(
            name=name,
            after=tuple(draw(st.lists(st.sampled_from(names[:index]), unique=True, max_size=3))) if index else (),
            on_partial_failure=draw(st.sampled_from(("continue", "continue", "fail"))),
        )
        for index, name in enumerate(names)
    ]
    listed = tuple(draw(st.permutations(phases)))
    requested = draw(st.lists(st.sampled_from(names), unique=True, min_size=1).map(tuple))
    return Shape(PipelineDefinition(name="drawn", version=1, phases=listed), requested)


class PeerModel(NamedTuple):
    """What the peers say: of each phase and slot `ok`, `failed`, `both` or `neither`; a silent phase names nobody."""

    says: dict[tuple[str, int], str]
    silent: frozenset[str]
    reverse: bool

    def outcome(self, command: CommandPhase, slots: tuple[str, ...]) -> PhaseConcluded:
        """Return the outcome that these peers answer a command with."""
        essays = [ref.essay_id for ref in command.essays]
        if self.reverse:
            essays.reverse()
        said = {essay: self.says[command.phase, slots.index(essay)] for essay in essays}
        named = [] if command.phase in self.silent else essays
        return PhaseConcluded(
            phase=command.phase,
            status=OutcomeStatus.FAILED if command.phase in self.silent else OutcomeStatus.SUCCEEDED_WITH_FAILURES,
            essays=tuple(EssayRef(e, f"{command.phase}:{e}") for e in named if said[e] in ("ok", "both")),
            failed_essay_ids=tuple(e for e in named if said[e] in ("failed", "both")),
        )


@st.composite
def peers(draw: st.DrawFn) -> PeerModel:
    """Draw the answers of the peers."""
    words = st.sampled_from(("ok", "ok", "ok", "failed", "both", "neither"))
    says = draw(st.lists(words, min_size=len(NAMES) * SLOTS, max_size=len(NAMES) * SLOTS))
    keys = [(name, slot) for name in NAMES for slot in range(SLOTS)]
    silent = draw(st.sets(st.sampled_from(NAMES), max_size=1))
    return PeerModel(dict(zip(keys, says, strict=True)), frozenset(silent), draw(st.booleans()))
