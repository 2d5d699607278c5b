"""Histories hold against the reference model, and the simulation itself tells what it must."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

import tests.simulation.history as simulated
from schemas.internal.events import Event
from state.batch import Batch
from state.decision.decide import decide
from state.decision.result import Decision
from tests.simulation.faults import FAULTS
from tests.simulation.running import ENOUGH, run_seed, run_seeds
from tests.simulation.tally import ELSEWHERE, Tally, expected_words

HERE = Path(__file__).parent
DIGEST = "from tests.simulation.running import digest_of; print(digest_of(7))"


def test_a_few_histories_hold() -> None:
    _, failures = run_seeds(range(1, 31))
    assert not failures, "\n".join(failures)


@pytest.mark.slow
def test_some_hundred_histories_hold_and_see_every_word() -> None:
    tally, failures = run_seeds(range(1, ENOUGH + 1))
    assert not failures, "\n".join(failures)
    assert tally.missing(FAULTS) == []


@pytest.mark.slow
def test_a_history_is_the_same_whatever_the_order_of_sets() -> None:
    def digest(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, check=True)
        return done.stdout.decode()

    assert digest("1") == digest("2")


def test_a_decision_that_differs_is_told_with_its_seed_and_the_history_of_its_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forgetful(before: Batch | None, event: Event, *rest: object) -> Decision:
        decision = decide(before, event, *rest)  # type: ignore[arg-type]
        if decision.batch is None or decision.batch is before:
            return decision
        return decision._replace(batch=replace(decision.batch, deadlines=()))

    monkeypatch.setattr(simulated, "decide", forgetful)
    report = run_seed(3, Tally())
    assert report is not None
    assert "make simulate SEEDS=1 FIRST=3\n" in report
    assert "register: applied" in report
    assert "Mismatch: a header names the next deadline" in report


def test_the_reference_shares_no_code_with_the_decision() -> None:
    sources = [path.read_text() for path in HERE.glob("reference*.py")]
    assert sources
    assert not [
        line for source in sources for line in source.splitlines() if line.startswith(("from state", "import state"))
    ]


def test_every_word_that_is_not_expected_has_an_explanation() -> None:
    assert all(len(why) > 20 for why in ELSEWHERE.values())
    words: Sequence[str] = expected_words()["reason"]
    assert not {word.value for word in ELSEWHERE} & set(words)
