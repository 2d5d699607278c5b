"""Texts of essays: which phase gave which, and which is the newest for a phase.

The newest is told by the graph of the pipeline, never by the order in which outcomes came or in which `after` names
phases. Metrics have the same rules, and travel apart from texts: a phase can give either without the other.
"""

from collections.abc import Iterable
from typing import Any

from schemas.internal.events import EssayRef
from state.batch import Batch, PhaseRun
from state.decision.attempts import essay_ids
from state.decision.graph import ancestors

Texts = dict[int, str]
Metrics = dict[int, dict[str, Any]]


def newest(batch: Batch, phase: str, essay: int) -> EssayRef:
    """Return an essay with the newest text and metrics that came before `phase`."""
    return newest_of(batch, phase, (essay,))[0]


def newest_of(batch: Batch, phase: str, essays: Iterable[int]) -> tuple[EssayRef, ...]:
    """Return essays with the newest texts and metrics that the phases before `phase` gave them.

    Of several givers the last in topological order counts: no other giver comes after it in the graph. A phase that
    has not ended with survivors gives nothing.
    """
    texts: Texts = {}
    metrics: Metrics = dict(batch.metrics)
    for run in _runs_before(batch, phase):
        if run.status.succeeded:
            texts.update(run.texts)
            metrics.update(run.metrics)
    known, uploaded = essay_ids(batch), batch.essays
    return tuple(
        [EssayRef(known[essay], texts.get(essay) or uploaded[essay].text, metrics.get(essay)) for essay in essays]
    )


def given(batch: Batch, phase: str, reported: dict[int, EssayRef]) -> tuple[Texts, Metrics]:
    """Return the texts and metrics in an outcome of `phase` that are new.

    Peers repeat what they were sent: a text or metrics that the essay already had before this phase are echoes.
    """
    before = _runs_before(batch, phase)
    texts: Texts = {}
    metrics: Metrics = {}
    for essay, ref in reported.items():
        text, found = ref.text_storage_id, ref.spellcheck_metrics
        if text != batch.essays[essay].text and all(run.texts.get(essay) != text for run in before):
            texts[essay] = text
        if found is not None and found not in (batch.metrics.get(essay), *(run.metrics.get(essay) for run in before)):
            metrics[essay] = found
    return texts, metrics


def _runs_before(batch: Batch, phase: str) -> list[PhaseRun]:
    return [batch.phases[name] for name in ancestors(batch, phase)]
