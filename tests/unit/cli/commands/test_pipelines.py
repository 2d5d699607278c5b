"""`bos pipelines` checks a file before it is in use, and shows what is in use."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands.pipelines import pipelines
from schemas.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[4] / "examples" / "pipelines.toml"


def told(*arguments: str) -> str:
    result = CliRunner().invoke(pipelines, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_file_that_can_be_used_is_told_to_be_so() -> None:
    assert told("check", str(EXAMPLE)).splitlines() == [
        "essays version 1 (default): normalise, grammar, style, feedback",
        "wordcount version 1: wordcount",
        f"{EXAMPLE} can be used.",
    ]


def test_a_file_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(EXAMPLE.read_text().replace('after = ["normalise"]\nmax', 'after = ["normalize"]\nmax'))
    with pytest.raises(ConfigurationError, match=r"wrong\.toml, line 18: grammar comes after what is no phase here"):
        told("check", str(path))


def test_the_built_in_pipelines_are_listed_without_a_file() -> None:
    assert told("list").splitlines() == [
        "default version 1 (default): spellcheck, cj_assessment",
        "comprehensive version 1: spellcheck, cj_assessment, nlp, ai_feedback",
    ]


def test_a_pipeline_is_shown_with_its_defaults_and_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_TOPIC_PREFIX", "school")
    shown = told("show", "essays", "--file", str(EXAMPLE))
    assert '  command_topic = "school.batch.phase.grammar.command.v1"' in shown
    assert "  deadline_s = 86400" in shown
    assert '  command_topic = "school.els.spellcheck.initiate.command.v1"' in told("show", "default")


def test_the_file_of_the_settings_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_PIPELINES_FILE", str(EXAMPLE))
    assert told("graph", "essays").splitlines() == [
        "essays, version 1",
        "  1  normalise",
        "  2  grammar    after normalise; 3 attempts",
        "  2  style      after normalise; held when it fails",
        "  3  feedback   after grammar, style",
    ]


def test_a_graph_for_mermaid() -> None:
    lines = told("graph", "comprehensive", "--format", "mermaid").splitlines()
    assert lines[0] == "flowchart LR"
    assert '    p1["cj_assessment<br/>when enable_cj_assessment"]' in lines
    assert "    p0 -.-> p1" in lines
    assert "    p1 --> p2" in lines


def test_an_unknown_pipeline_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="default, comprehensive"):
        told("show", "essays")
