"""Pipeline definitions are checked before anything is started."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.topics import TopicTable
from state.pipelines.loader import load_pipelines


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pipelines.toml"
    path.write_text(text)
    return path


HEAD = 'name = "p"\nversion = 1\n'
SPELLCHECK = '[[phases]]\nname = "spellcheck"\n'


def test_the_built_in_pipeline() -> None:
    assert load_pipelines() == PipelineDefinition(
        name="default",
        version=1,
        phases=(
            PhaseDefinition(name="spellcheck"),
            PhaseDefinition(name="cj_assessment", after=("spellcheck",), when="enable_cj_assessment"),
        ),
    )


def test_a_pipeline_of_ones_own(tmp_path: Path) -> None:
    text = f'{HEAD}provisioning_deadline_s = 60\n{SPELLCHECK}deadline_s = 7200\n[[phases]]\nname = "nlp"\nwhen = "x"\n'
    pipeline = load_pipelines(written(tmp_path, text))
    assert pipeline.provisioning_deadline_s == 60
    assert pipeline.phases == (
        PhaseDefinition(name="spellcheck", deadline_s=7_200),
        PhaseDefinition(name="nlp", when="x"),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = ", "Invalid value"),
        ("version = 1\nphases = []\nname = 3", "name"),
        (HEAD, "phases"),
        (f"{HEAD}phases = []", "at least one must always be requested"),
        (f"{HEAD}colour = 1\n{SPELLCHECK}", "unknown names: colour"),
        (f"{HEAD}{SPELLCHECK}dedline_s = 1\n", "unknown names: dedline_s"),
        (f'name = ""\nversion = 1\n{SPELLCHECK}', "a name"),
        (f'name = "p"\nversion = 0\n{SPELLCHECK}', "version of at least 1"),
        (f"{HEAD}{SPELLCHECK}{SPELLCHECK}", "there twice: spellcheck"),
        (f'{HEAD}[[phases]]\nname = "grammar"\n', "no phase that peers know"),
        (f'{HEAD}{SPELLCHECK}after = ["nlp"]\n', "no phase here: nlp"),
        (f'{HEAD}{SPELLCHECK}after = ["spellcheck"]\n', "wait for each other"),
        (
            f'{HEAD}{SPELLCHECK}after = ["nlp"]\n[[phases]]\nname = "nlp"\nafter = ["spellcheck"]\n',
            "wait for each other",
        ),
        (f'{HEAD}{SPELLCHECK}when = "x"\n', "at least one must always be requested"),
        (f"{HEAD}{SPELLCHECK}max_attempts = 2\n", "does not echo"),
        (f"{HEAD}{SPELLCHECK}max_attempts = 0\n", "does not echo"),
        (f"{HEAD}{SPELLCHECK}max_attempts = 2\nechoes_attempt = true\n", "not there yet"),
        (f"{HEAD}{SPELLCHECK}deadline_s = 60\n", "stalled_after_s"),
        (f"{HEAD}{SPELLCHECK}stalled_after_s = 0\n", "stalled_after_s"),
        (f"{HEAD}{SPELLCHECK}retry_backoff_s = 0\n", "retry_backoff_s"),
        (f'{HEAD}{SPELLCHECK}on_partial_failure = "shrug"\n', "on_partial_failure"),
        (f"{HEAD}provisioning_deadline_s = 0\n{SPELLCHECK}", "provisioning_deadline_s"),
        (f"{HEAD}purge_after_s = {32 * 86_400}\n{SPELLCHECK}", "purge_after_s"),
    ],
)
def test_a_wrong_definition_is_refused_with_its_fault(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_pipelines(written(tmp_path, text))
    assert refused.value.code == "ORC-PIPELINE"
    assert fault in refused.value.message
    assert "pipelines.toml" in refused.value.message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_pipelines(tmp_path / "nowhere.toml")


def test_a_stub_that_outlives_every_repeat_is_taken(tmp_path: Path) -> None:
    text = f"{HEAD}purge_after_s = {32 * 86_400 + 1}\n{SPELLCHECK}"
    assert load_pipelines(written(tmp_path, text)).purge_after_s == 32 * 86_400 + 1


def test_a_stub_must_outlive_what_the_topics_of_this_deployment_keep(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}purge_after_s = 20\n{SPELLCHECK}")
    assert load_pipelines(path, TopicTable(retention_ms=5_000)).purge_after_s == 20
    with pytest.raises(ConfigurationError, match="must be above 30"):
        load_pipelines(path, TopicTable(retention_ms=10_000))
