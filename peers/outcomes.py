"""The phase services and the second half of ELS: what a phase makes of its essays, and its outcome."""

from __future__ import annotations

from peers.batch import Batch, Essay, EssayResult
from peers.envelope import Json
from peers.options import PeerOptions
from peers.provisioning import Event
from peers.topics import OUTCOME, OUTCOME_SEED, SPELLCHECK


def run_phase(options: PeerOptions, batch: Batch, phase: str, essays: list[Essay]) -> None:
    """Settle what `phase` makes of each of `essays`, as the batch's own chance has it."""
    verdicts = _verdicts(options, batch, phase)
    for essay in essays:
        essay.results[phase] = verdicts[essay.essay_id]


def outcome_event(
    options: PeerOptions, batch: Batch, phase: str, essays: list[Essay], *, at: float, correlation_id: str
) -> Event:
    """ELSBatchPhaseOutcomeV1 over `essays`, in the era's topic and spelling; notes that it goes out at `at`."""
    run = batch.runs[phase]
    run.answer_at = at
    status = _status([essay.results[phase] for essay in essays])
    shuffled = list(essays)
    batch.chance.stream(f"order:{phase}:{run.commands}").shuffle(shuffled)
    processed = [essay for essay in shuffled if essay.results[phase] == "succeeded"]
    data: Json = {
        "batch_id": batch.batch_id,
        "phase_name": phase,
        "phase_status": status.upper() if options.era == "seed" else status,
        "processed_essays": [_processed(options, batch, phase, essay) for essay in processed],
        "failed_essay_ids": [essay.essay_id for essay in shuffled if essay.results[phase] == "failed"],
        "correlation_id": correlation_id,
    }
    topic = OUTCOME_SEED if options.era == "seed" else OUTCOME
    return Event(f"outcome:{phase}:{run.commands}", topic, at, correlation_id, data)


def _verdicts(options: PeerOptions, batch: Batch, phase: str) -> dict[str, EssayResult]:
    """What the phase would make of each slot; drawn for all, so that it does not depend on the command."""
    stream = batch.chance.stream(f"phase:{phase}")
    critical = stream.random() < options.critical_rate
    verdicts: dict[str, EssayResult] = {}
    for essay_id in batch.essays:
        fails, vanishes = stream.random() < options.failed_essay_rate, stream.random() < options.unaccounted_rate
        verdicts[essay_id] = "failed" if critical or fails else "unaccounted" if vanishes else "succeeded"
    return verdicts


def _status(results: list[EssayResult]) -> str:
    """One of the three statuses that ELS sends; essays without a storage id count as succeeded there."""
    failed = results.count("failed")
    if failed == len(results):
        return "failed_critically"
    return "completed_with_failures" if failed else "completed_successfully"


def _processed(options: PeerOptions, batch: Batch, phase: str, essay: Essay) -> Json:
    """A reference; head's spellcheck gives the corrected text and its metrics, all else the original text."""
    assert essay.text_id is not None
    if options.era != "head":
        essay.outcome_texts[phase] = essay.text_id
        return {"essay_id": essay.essay_id, "text_storage_id": essay.text_id}
    corrected = phase == SPELLCHECK
    essay.outcome_texts[phase] = batch.chance.text_id(f"corrected:{essay.essay_id}") if corrected else essay.text_id
    return {
        "essay_id": essay.essay_id,
        "text_storage_id": essay.outcome_texts[phase],
        "spellcheck_metrics": _metrics(batch, essay) if corrected else None,
    }


def _metrics(batch: Batch, essay: Essay) -> Json:
    stream = batch.chance.stream(f"metrics:{essay.essay_id}")
    dictionary, checker, words = stream.randint(0, 10), stream.randint(0, 20), stream.randint(150, 900)
    return {
        "total_corrections": dictionary + checker,
        "l2_dictionary_corrections": dictionary,
        "spellchecker_corrections": checker,
        "word_count": words,
        "correction_density": round(100 * (dictionary + checker) / words, 2),
    }
