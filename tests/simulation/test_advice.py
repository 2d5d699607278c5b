"""Advice agrees with the rules in every state of simulated histories, those after crashes and repeats included."""

import pytest

import tests.simulation.history as simulated
from schemas.internal.events import Event
from state.batch import Batch
from state.decision.decide import decide
from state.decision.result import Decision
from tests.property.test_advice import check
from tests.simulation.running import run_seeds


def test_advice_agrees_with_the_rules_in_simulated_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[str] = []
    checked = 0

    def advised(before: Batch | None, event: Event, *rest: object) -> Decision:
        nonlocal checked
        decision = decide(before, event, *rest)  # type: ignore[arg-type]
        if decision.batch is not None and decision.batch is not before:
            checked += 1
            try:
                check(decision.batch)
            except AssertionError as error:
                faults.append(str(error))
        return decision

    monkeypatch.setattr(simulated, "decide", advised)
    _, failures = run_seeds(range(1, 9))
    assert not failures, "\n".join(failures)
    assert not faults, "\n".join(faults[:5])
    assert checked > 100
