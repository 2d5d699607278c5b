"""How a phase is commanded follows from its definition, which the batch carries."""

from schemas.internal.effects import GenericCommand
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.decision.commands import generic_command

GRAMMAR = PhaseDefinition(name="grammar", payload="generic", command_topic="grammar.jobs", deadline_s=60)
PIPELINE = PipelineDefinition(name="essays", version=3, phases=(GRAMMAR, PhaseDefinition(name="spellcheck")))


def test_a_generic_phase_is_commanded_with_its_pipeline_and_deadline() -> None:
    assert generic_command(PIPELINE, GRAMMAR, 1_000) == GenericCommand(
        topic="grammar.jobs", pipeline="essays", pipeline_version=3, deadline_ms=61_000
    )


def test_a_phase_of_huleedus_peers_has_no_generic_command() -> None:
    assert generic_command(PIPELINE, PIPELINE.phases[1], 1_000) is None
