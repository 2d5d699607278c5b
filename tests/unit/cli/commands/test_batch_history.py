"""What `bos batches history` and `bos batches replay` print, for bodies as the api gives them."""

from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import cli.commands.batch_history as commands
from cli.commands.batch_history import history, replay
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import Change, EffectNote, HistoryRecord, Reason
from state.projection import HistoryPage
from state.replay import Difference, Replay, ReplayedDecision

REGISTERED = HistoryRecord(
    writer=1,
    least_reader=1,
    batch_id="b",
    partition=0,
    offset=18_810,
    time_ms=1_764_076_924_000,
    kind="register",
    disposition=Disposition.APPLIED,
    reason=Reason(code=ReasonCode.REGISTERED, essays=25),
    version=18_810,
    based_on=-1,
    changes=(Change(after="awaiting_content_validation"),),
)
OUTCOME = HistoryRecord(
    writer=1,
    least_reader=1,
    batch_id="b",
    partition=0,
    offset=18_812,
    time_ms=1_764_076_925_000,
    kind="phase_concluded",
    disposition=Disposition.APPLIED,
    reason=Reason(code=ReasonCode.PHASE_COMPLETED, phase="spellcheck", essays=24),
    version=18_812,
    based_on=18_810,
    failed=1,
    effects=(EffectNote("command_phase", "id", "topic", "cj_assessment", 1, 24),),
)


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    for command in (history, replay):
        made.command()(command)
    return made


def answer(monkeypatch: pytest.MonkeyPatch, *bodies: dict[str, Any]) -> list[str]:
    """Answer the next calls with these bodies, and return the list of the paths that will have been asked for."""
    asked: list[str] = []
    left = list(bodies)

    def fetched(_url: str, batch_id: str, path_of: Callable[[str], str]) -> dict[str, Any]:
        asked.append(path_of(batch_id))
        return left.pop(0)

    monkeypatch.setattr(commands, "fetch_of_batch", fetched)
    return asked


def shown(result: Replay) -> dict[str, Any]:
    from api.routes.decision_response import replay_body  # noqa: PLC0415 - FastAPI is not needed by the others

    return replay_body("b", result)


def test_a_history_is_a_table_with_one_line_for_each_event(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.routes.decision_response import history_body  # noqa: PLC0415

    asked = answer(monkeypatch, history_body("b", HistoryPage((REGISTERED, OUTCOME), "next")))
    result = CliRunner().invoke(app, ["history", "b"])
    assert result.output.splitlines() == [
        "  OFFSET  TIME       DISPOSITION  EVENT               REASON",
        "  18810   13:22:04Z  applied      register            registered with 25 essay slots",
        (
            "  18812   13:22:05Z  applied      outcome spellcheck  spellcheck: 24 essays passed, 1 lost; "
            "cj_assessment commanded for 24 essays"
        ),
    ]
    assert asked == ["/v1/batches/b/history?limit=500"]


def test_a_long_history_is_read_page_by_page(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.routes.decision_response import history_body  # noqa: PLC0415

    full = history_body("..", HistoryPage((REGISTERED,) * 500, "cursor"))
    asked = answer(monkeypatch, full, history_body("..", HistoryPage((OUTCOME,), "end")))
    result = CliRunner().invoke(app, ["history", ".."])
    assert len(result.output.splitlines()) == 502
    assert asked[1] == "/v1/batches/history?batch_id=..&limit=500&after=cursor"


def test_a_replay_that_gives_the_same_says_so(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    decisions = tuple(ReplayedDecision(published=each, decided=True) for each in (REGISTERED, OUTCOME))
    answer(monkeypatch, shown(Replay(batch=None, decisions=decisions)))
    result = CliRunner().invoke(app, ["replay", "b"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[2] == "    batch: none -> awaiting_content_validation"
    assert lines[4] == "    published command_phase cj_assessment #1 to topic"
    assert lines[-1] == "replayed 2 records, state identical, chain whole"


def test_a_replay_that_differs_says_where_and_fails(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    differs = (Difference("failed", "1", "2"),)
    decisions = (
        ReplayedDecision(published=REGISTERED, decided=False),
        ReplayedDecision(published=OUTCOME, decided=True, differences=differs, chain_expected=18_811),
    )
    answer(
        monkeypatch, shown(Replay(batch=None, decisions=decisions, status=(Difference("stalled", "true", "false"),)))
    )
    result = CliRunner().invoke(app, ["replay", "b"])
    assert result.exit_code == 1
    assert "    DIFFERS in failed: published 1, replayed 2" in result.output
    assert "    CHAIN BROKEN: based on 18810, not on 18811" in result.output
    assert result.output.splitlines()[-5:] == [
        "replayed 2 records (1 quarantined, not decided again)",
        "decided otherwise than published: offset 18812",
        "chain of versions broken: offset 18812",
        "status stalled: published true, replayed false",
        "See docs/errors/ORC-REPLAY-DIFFERS.md.",
    ]


def test_both_commands_are_there() -> None:
    from cli.main import app as whole  # noqa: PLC0415

    result = CliRunner().invoke(whole, ["batches", "--help"])
    assert "history" in result.output
    assert "replay" in result.output
