"""How a phase is commanded follows from its definition, which the batch carries."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.effects import CommandPhase, GenericCommand
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.decision.commands import generic_command
from tests.unit.state.story import CORRELATION, SEED_CONTEXT, refs, registered

GRAMMAR = PhaseDefinition(name="grammar", payload="generic", command_topic="grammar.jobs", deadline_s=60)
PIPELINE = PipelineDefinition(name="essays", version=3, phases=(GRAMMAR, PhaseDefinition(name="spellcheck")))


def test_a_generic_phase_is_commanded_with_its_pipeline_and_deadline() -> None:
    assert generic_command(PIPELINE, GRAMMAR, 1_000) == GenericCommand(
        topic="grammar.jobs", pipeline="essays", pipeline_version=3, deadline_ms=61_000
    )


def test_a_phase_of_huleedus_peers_has_no_generic_command() -> None:
    assert generic_command(PIPELINE, PIPELINE.phases[1], 1_000) is None


def test_a_command_says_everything_that_its_peer_needs() -> None:
    story = registered(PIPELINE)
    decision = story.ready()
    time_ms = story.last.event.time_ms
    grammar = CommandPhase(
        event_id=ids.effect_id(story.batch_id, 100, "command_phase", "grammar", 1),
        batch_id=story.batch_id,
        time_ms=time_ms,
        correlation_id=CORRELATION,
        trace_id=CORRELATION.replace("-", ""),
        context=SEED_CONTEXT,
        phase="grammar",
        attempt=1,
        essays=refs(story.slots),
        generic=GenericCommand(
            topic="grammar.jobs", pipeline="essays", pipeline_version=3, deadline_ms=time_ms + 60_000
        ),
    )
    spellcheck = replace(
        grammar,
        event_id=ids.effect_id(story.batch_id, 100, "command_phase", "spellcheck", 1),
        phase="spellcheck",
        generic=None,
    )
    assert decision.effects == (grammar, spellcheck)
