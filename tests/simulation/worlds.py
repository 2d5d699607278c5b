"""Random batches: valid pipelines of up to six phases, and the registrations that run them."""

from random import Random

from schemas.internal.events import BatchContext, Principal, RegisterBatch
from schemas.internal.pipeline import DAY_S, PhaseDefinition, PipelineDefinition

NAMES = ("spellcheck", "cj_assessment", "nlp", "ai_feedback", "translate", "summarise")
"""Phase names; those that no peer of today knows are commanded by the generic payload."""
GENERIC = frozenset(NAMES[4:])
OWNER = Principal(subject="teacher", organisation="school", scopes=("batches",))
STRANGER = Principal(subject="stranger", organisation="school", scopes=("batches",))
OPERATOR = Principal(subject="operator", organisation="operations", scopes=("batches", "batches:any-owner"))


def hex_id(rng: Random) -> str:
    """Return a random UUID."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def pipeline(rng: Random) -> PipelineDefinition:
    """Return a pipeline: a graph of one to six phases, listed in any order."""
    count = rng.choice((1, 2, 2, 3, 3, 4, 4, 5, 6))
    names = rng.sample(NAMES, count)
    phases = [_phase(rng, name, names[:index]) for index, name in enumerate(names)]
    if all(phase.when for phase in phases):
        phases[0] = _phase(rng, names[0], [], when="")
    if rng.random() < 0.4:
        rng.shuffle(phases)
    return PipelineDefinition(
        name="random",
        version=1,
        phases=tuple(phases),
        provisioning_deadline_s=rng.choice((3_600, DAY_S, 7 * DAY_S)),
        purge_after_s=rng.choice((33, 35, 40)) * DAY_S,
    )


def _phase(rng: Random, name: str, earlier: list[str], when: str | None = None) -> PhaseDefinition:
    after = [one for one in earlier if rng.random() < 0.5]
    if earlier and not after and rng.random() < 0.7:
        after = [rng.choice(earlier)]
    echoes = rng.random() < 0.5
    stalled = rng.choice((60, 600, 1_800))
    return PhaseDefinition(
        name=name,
        after=tuple(after),
        when=("enable_cj_assessment" if rng.random() < 0.2 else "") if when is None else when,
        stalled_after_s=stalled,
        deadline_s=stalled * rng.choice((1, 2, 10, 48)),
        max_attempts=rng.choice((1, 2, 3, 4)) if echoes else 1,
        retry_backoff_s=rng.choice((1, 30, 60, 600)),
        echoes_attempt=echoes,
        on_partial_failure="fail" if rng.random() < 0.25 else "continue",
        join="any" if rng.random() < 0.4 else "all",
        on_failure="hold" if rng.random() < 0.25 else "fail",
        hold_s=rng.choice((600, DAY_S, 7 * DAY_S)),
        payload="generic" if name in GENERIC else "huleedu",
    )


def registration(rng: Random) -> RegisterBatch:
    """Return the registration of a batch, as the router would have stamped it."""
    definition = pipeline(rng)
    flag = rng.random() < 0.5
    requested = tuple(phase.name for phase in definition.phases if not phase.when or flag)
    class_id = "class-7" if rng.random() < 0.25 else None
    return RegisterBatch(
        request_id=hex_id(rng),
        principal=OWNER,
        correlation_id=hex_id(rng),
        fingerprint=f"1:{rng.getrandbits(64):016x}",
        expected_essay_count=rng.choice((1, 2, 3, 3, 4, 5, 8, 16)),
        context=BatchContext(
            course_code="SV1",
            course_code_given="SV1",
            language="sv",
            enable_cj_assessment=flag,
            user_id="teacher",
            class_id=class_id,
        ),
        pipeline=definition,
        requested_phases=requested,
    )
