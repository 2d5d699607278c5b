"""The batches of the corpus: typical lives in every wire era, and what goes wrong in them."""

from collections.abc import Callable
from typing import Any

from peers.options import PeerOptions
from schemas import ids
from schemas.internal.events import Principal
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition, Pipelines
from schemas.public.requests import RequestKind
from tests.corpus.stage import Stage

SEED: dict[str, Any] = {
    "expected_essay_count": 3,
    "course_code": "SV1",
    "class_designation": "Class 9A",
    "teacher_name": "Ms Berg",
    "essay_instructions": "Argue for or against school uniforms.",
    "user_id": "teacher-001",
}
HEAD: dict[str, Any] = {
    "expected_essay_count": 3,
    "course_code": "ENG5",
    "user_id": "teacher-001",
    "org_id": "school-7",
}
CJ = {"enable_cj_assessment": True}
STRANGER = Principal(subject="stranger", organisation="elsewhere", scopes=("batches:read", "batches:write"))
Scenario = Callable[[str], Stage]


def seed_completes(batch_id: str) -> Stage:
    """A seed batch with both phases, without a failure."""
    stage = Stage(batch_id, PeerOptions(era="seed"))
    stage.register(SEED | CJ)
    stage.play()
    return stage


def seed_partly(batch_id: str) -> Stage:
    """A seed batch of which files fail validation, and essays in every phase; some are in no list."""
    options = PeerOptions(era="seed", seed=3, validation_failure_rate=0.2, failed_essay_rate=0.2, unaccounted_rate=0.2)
    stage = Stage(batch_id, options)
    stage.register(SEED | CJ | {"expected_essay_count": 10})
    stage.play()
    return stage


def seed_repeats(batch_id: str) -> Stage:
    """A seed batch of which every event is sent again, and the registration too, by its owner and by a stranger."""
    stage = Stage(batch_id, PeerOptions(era="seed", seed=1, repeat_rate=1.0))
    stage.register(SEED | CJ)
    stage.register(SEED | CJ, again=1)
    stage.register(SEED | CJ)
    stage.register(SEED)
    stage.register(SEED | CJ, principal=STRANGER)
    stage.play()
    return stage


def seed_fails_in_spellcheck(batch_id: str) -> Stage:
    """A seed batch whose first phase fails as a whole, so that its second one is skipped."""
    stage = Stage(batch_id, PeerOptions(era="seed", critical_rate=1.0))
    stage.register(SEED | CJ)
    stage.play()
    return stage


def seed_no_essay(batch_id: str) -> Stage:
    """A seed batch of which no file becomes an essay."""
    stage = Stage(batch_id, PeerOptions(era="seed", validation_failure_rate=1.0))
    stage.register(SEED)
    stage.play()
    return stage


def july_completes(batch_id: str) -> Stage:
    """A July batch of which a few essays fail."""
    stage = Stage(batch_id, PeerOptions(era="july", seed=5, failed_essay_rate=0.3))
    stage.register(HEAD | CJ | {"expected_essay_count": 6})
    stage.play()
    return stage


def head_guest(batch_id: str) -> Stage:
    """A guest batch of the head era, with its texts' metrics."""
    stage = Stage(batch_id, PeerOptions(era="head"))
    stage.register(HEAD | CJ)
    stage.play()
    return stage


def head_guest_partly(batch_id: str) -> Stage:
    """A guest batch of the head era with failures of files and essays, and repeats."""
    options = PeerOptions(
        era="head", seed=7, validation_failure_rate=0.2, failed_essay_rate=0.2, unaccounted_rate=0.1, repeat_rate=0.5
    )
    stage = Stage(batch_id, options)
    stage.register(HEAD | CJ | {"expected_essay_count": 10})
    stage.play()
    return stage


def head_guest_oversized(batch_id: str) -> Stage:
    """A guest batch of the head era whose metrics are more than its topic takes."""
    stage = Stage(batch_id, PeerOptions(era="head", seed=7), largest_state=3_500)
    stage.register(HEAD | CJ | {"expected_essay_count": 10})
    stage.play()
    return stage


def head_class(batch_id: str) -> Stage:
    """A class batch of the head era: its students are matched before it starts."""
    stage = Stage(batch_id, PeerOptions(era="head"))
    stage.register(HEAD | CJ | {"class_id": "class-9A"})
    stage.play()
    return stage


def head_no_essay(batch_id: str) -> Stage:
    """A guest batch of the head era of which every file fails validation."""
    stage = Stage(batch_id, PeerOptions(era="head", validation_failure_rate=1.0))
    stage.register(HEAD)
    stage.play()
    return stage


def graph_in_parallel(batch_id: str) -> Stage:
    """Two phases in parallel between a first and a last one; one of the two loses essays."""
    phases = (
        PhaseDefinition(name="spellcheck"),
        PhaseDefinition(name="nlp", after=("spellcheck",)),
        PhaseDefinition(name="cj_assessment", after=("spellcheck",)),
        PhaseDefinition(name="ai_feedback", after=("nlp", "cj_assessment")),
    )
    stage = Stage(
        batch_id,
        PeerOptions(era="head", seed=2, failed_essay_rate=0.3),
        pipelines=Pipelines.only(PipelineDefinition(name="graph", version=4, phases=phases)),
    )
    stage.register(HEAD | {"expected_essay_count": 6})
    stage.play()
    return stage


def unreadable_in_between(batch_id: str) -> Stage:
    """Records of the inbox that cannot be decoded, or have another batch's key, between the batch's own."""
    stage = Stage(batch_id, PeerOptions(era="seed"))
    stage.register(SEED)
    stage.append("not JSON")
    stage.append(stage.recorded[0].inbox, key=ids.derived_id("another batch"))
    stage.play()
    return stage


def nobody_comes(batch_id: str) -> Stage:
    """A batch whose essays never come: it ends by its deadline, and is purged; the purge is fired twice."""
    stage = Stage(batch_id, PeerOptions(era="seed"))
    stage.register(SEED)
    stage.reach_deadline()
    purge = stage.batch.deadlines[0].due_ms
    stage.reach_deadline(purge - 1_000)
    stage.reach_deadline()
    stage.reach_deadline(purge)
    return stage


def peer_never_answers(batch_id: str) -> Stage:
    """A batch of which no peer answers the second phase: it is flagged, given up, and purged."""
    stage = Stage(batch_id, PeerOptions(era="seed"), silent=("cj_assessment",))
    stage.register(SEED | CJ)
    stage.play()
    stage.reach_deadline()
    stage.reach_deadline()
    stage.reach_deadline()
    return stage


def retried_by_itself(batch_id: str) -> Stage:
    """A phase whose lost essays are commanded again by themselves, until the attempts are used up."""
    stage = worked(batch_id, PhaseDefinition(name="spellcheck", echoes_attempt=True, max_attempts=3))
    stage.conclude("spellcheck", failed=2)
    stage.reach_deadline()
    stage.conclude("spellcheck", failed=1)
    stage.conclude("spellcheck", attempt=1, failed=2)
    stage.reach_deadline()
    stage.conclude("spellcheck", failed=1)
    stage.conclude("cj_assessment")
    return stage


def held_and_retried(batch_id: str) -> Stage:
    """A phase that fails is held; a person retries its failed essays, and then the batch goes on."""
    stage = worked(batch_id, PhaseDefinition(name="spellcheck", echoes_attempt=True, on_failure="hold"))
    stage.conclude("spellcheck", failed=4)
    stage.wait(3_600)
    stage.request(RequestKind.RETRY, {"phase": "spellcheck", "essays": "failed", "reason": "dictionary mended"})
    stage.conclude("spellcheck", failed=1)
    stage.request(RequestKind.RETRY, {"phase": "spellcheck", "essays": "failed"})
    stage.conclude("cj_assessment", attempt=1)
    stage.conclude("spellcheck")
    stage.conclude("cj_assessment")
    return stage


def held_for_nobody(batch_id: str) -> Stage:
    """A phase that fails is held, and nobody comes."""
    stage = worked(batch_id, PhaseDefinition(name="spellcheck", echoes_attempt=True, on_failure="hold"))
    stage.conclude("spellcheck", failed=4)
    stage.reach_deadline()
    return stage


def paused_and_resumed(batch_id: str) -> Stage:
    """A batch that is paused while a phase runs, and resumed after its deadlines would have passed."""
    stage = worked(batch_id, PhaseDefinition(name="spellcheck", echoes_attempt=True))
    stage.request(RequestKind.RESUME, {})
    stage.request(RequestKind.PAUSE, {"reason": "the model is being changed"})
    stage.request(RequestKind.PAUSE, {})
    due = stage.batch.deadlines[0].due_ms
    stage.wait(200_000)
    stage.reach_deadline(int(stage.now_s * 1000) - due)
    stage.conclude("spellcheck")
    stage.request(RequestKind.RESUME, {})
    stage.conclude("cj_assessment", failed=1)
    return stage


def cancelled(batch_id: str) -> Stage:
    """A batch that is cancelled while a phase runs: by its owner alone, once, and for good."""
    stage = worked(batch_id, PhaseDefinition(name="spellcheck", echoes_attempt=True))
    stage.request(RequestKind.CANCEL, {"reason": "not mine"}, principal=STRANGER)
    stage.request(RequestKind.CANCEL, {"if_version": 7})
    stage.request(RequestKind.CANCEL, {"reason": "the wrong class"})
    stage.request(RequestKind.CANCEL, {"reason": "the wrong class"}, again=4)
    stage.request(RequestKind.CANCEL, {})
    stage.request(RequestKind.RETRY, {"phase": "spellcheck"})
    stage.reach_deadline()
    return stage


def worked(batch_id: str, first: PhaseDefinition) -> Stage:
    """Return a batch whose essays are ready, with `first` and then cj_assessment; workers answer, no played peers."""
    phases = (first, PhaseDefinition(name="cj_assessment", after=(first.name,), echoes_attempt=True))
    stage = Stage(
        batch_id,
        PeerOptions(era="seed"),
        pipelines=Pipelines.only(PipelineDefinition(name="worked", version=1, phases=phases)),
        silent=(first.name, "cj_assessment"),
    )
    stage.register(SEED | {"expected_essay_count": 4})
    stage.play()
    return stage


SCENARIOS: tuple[Scenario, ...] = (
    seed_completes,
    seed_partly,
    seed_repeats,
    seed_fails_in_spellcheck,
    seed_no_essay,
    july_completes,
    head_guest,
    head_guest_partly,
    head_guest_oversized,
    head_class,
    head_no_essay,
    graph_in_parallel,
    unreadable_in_between,
    nobody_comes,
    peer_never_answers,
    retried_by_itself,
    held_and_retried,
    held_for_nobody,
    paused_and_resumed,
    cancelled,
)


def name_of(scenario: Scenario) -> str:
    """Return the name of a scenario's file, without its suffix."""
    return scenario.__name__.replace("_", "-")


def recorded(scenario: Scenario) -> Stage:
    """Return the stage of a scenario after its end; its batch has the same id each time."""
    return scenario(ids.derived_id(f"corpus\n{name_of(scenario)}"))
