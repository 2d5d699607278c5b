"""Texts of essays: which phase gave which, and which is the newest for a phase.

The newest is told by the graph of the pipeline, never by the order in which outcomes came or in which `after` names
phases. Metrics have the same rules, and travel apart from texts: a phase can give either without the other.
"""

from collections.abc import Sequence
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


def newest_of(batch: Batch, phase: str, essays: Sequence[int]) -> tuple[EssayRef, ...]:
    """Return essays with the newest texts and metrics that the phases before `phase` gave them.

    Of several givers the last in topological order counts: no other giver comes after it in the graph. A phase that
    has not ended with survivors gives nothing.
    """
    given_texts: Texts = {}
    metrics: Metrics = dict(batch.metrics) if batch.metrics else {}
    for run in _runs_before(batch, phase):
        if run.status.succeeded:
            given_texts.update(run.texts)
            metrics.update(run.metrics)
    known, uploaded = essay_ids(batch), batch.essays
    if len(essays) != len(uploaded):
        known = tuple([known[essay] for essay in essays])
        uploaded = tuple([uploaded[essay] for essay in essays])
    texts = [essay.text for essay in uploaded]
    if given_texts:
        texts = list(map(given_texts.get, essays, texts))
    if not metrics:
        return tuple(map(EssayRef, known, texts))
    return tuple(map(EssayRef, known, texts, map(metrics.get, essays)))


def given(batch: Batch, phase: str, essays: Sequence[int], reported: Sequence[EssayRef]) -> tuple[Texts, Metrics]:
    """Return the texts and metrics in an outcome of `phase` that are new, from what it reported of each essay.

    Peers repeat what they were sent: a text or metrics that the essay already had before this phase are echoes.
    """
    uploaded = batch.essays
    texts = {
        essay: ref.text_storage_id
        for essay, ref in zip(essays, reported, strict=True)
        if ref.text_storage_id != uploaded[essay].text
    }
    metrics = {
        essay: ref.spellcheck_metrics
        for essay, ref in zip(essays, reported, strict=True)
        if ref.spellcheck_metrics is not None and ref.spellcheck_metrics != batch.metrics.get(essay)
    }
    if not texts and not metrics:
        return texts, metrics
    for run in _runs_before(batch, phase):
        if run.texts:
            texts = {essay: text for essay, text in texts.items() if text != run.texts.get(essay)}
        if run.metrics:
            metrics = {essay: found for essay, found in metrics.items() if found != run.metrics.get(essay)}
    return texts, metrics


def _runs_before(batch: Batch, phase: str) -> list[PhaseRun]:
    return [batch.phases[name] for name in ancestors(batch, phase)]
