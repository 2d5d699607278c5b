"""The topics and names that HuleEdu's peers know, written down a second time on purpose.

The played peers import nothing of the product, so a misspelled topic there cannot hide behind the
same misspelling here. Names are those of `docs/wire-contract.md`, topic inventory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_PREFIX: Final = "huleedu"

REGISTERED: Final = "huleedu.batch.essays.registered.v1"
SPELLCHECK_COMMAND: Final = "huleedu.els.spellcheck.initiate.command.v1"
CJ_COMMAND: Final = "huleedu.batch.cj_assessment.initiate.command.v1"
NLP_COMMAND_V1: Final = "huleedu.batch.nlp.initiate.command.v1"
NLP_COMMAND_V2: Final = "huleedu.batch.nlp.initiate.command.v2"
AI_FEEDBACK_COMMAND: Final = "huleedu.batch.ai_feedback.initiate.command.v1"
STUDENT_MATCHING_COMMAND: Final = "huleedu.batch.student.matching.initiate.command.v1"
COMPLETED: Final = "huleedu.batch.pipeline.completed.v1"

READY: Final = "huleedu.els.batch.essays.ready.v1"
PROVISIONED: Final = "huleedu.batch.content.provisioning.completed.v1"
VALIDATION_ERRORS: Final = "huleedu.els.batch.validation.errors.v1"
OUTCOME_SEED: Final = "huleedu.els.batch_phase.outcome.v1"
OUTCOME: Final = "huleedu.els.batch.phase.outcome.v1"

STUDENT_MATCHING: Final = "student_matching"
SPELLCHECK: Final = "spellcheck"


@dataclass(frozen=True, slots=True)
class Inbound:
    """What the peers expect on one topic: the model, and the event's name inside data."""

    topic: str
    model: str
    data_name: str
    phase: str | None = None
    """The phase that a command starts."""
    event_type: str | None = None
    """Where it is not the topic's name."""


def _command(topic: str, model: str, data_name: str, phase: str) -> Inbound:
    version = topic.rpartition(".")[2].upper()
    return Inbound(topic, f"BatchService{model}InitiateCommandData{version}", data_name, phase)


INBOUND: Final[tuple[Inbound, ...]] = (
    Inbound(REGISTERED, "BatchEssaysRegistered", "batch.essays.registered"),
    _command(SPELLCHECK_COMMAND, "Spellcheck", "batch.spellcheck.initiate.command", SPELLCHECK),
    _command(CJ_COMMAND, "CJAssessment", "batch.cj_assessment.initiate.command", "cj_assessment"),
    _command(NLP_COMMAND_V1, "NLP", "batch.nlp.initiate.command", "nlp"),
    _command(NLP_COMMAND_V2, "NLP", "batch.nlp.initiate.command.v2", "nlp"),
    _command(AI_FEEDBACK_COMMAND, "AIFeedback", "batch.ai_feedback.initiate.command", "ai_feedback"),
    _command(STUDENT_MATCHING_COMMAND, "StudentMatching", "batch.student.matching.initiate.command", STUDENT_MATCHING),
    Inbound(COMPLETED, "BatchPipelineCompletedV1", "batch.pipeline.completed", event_type="batch.pipeline.completed"),
)
