"""Pipeline definitions are read and checked before anything is started; a fault is told with its line."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.topics import TopicTable
from state.pipelines.loader import command_topics, load_pipelines

HEAD = 'default = "p"\n[[pipelines]]\nname = "p"\nversion = 1\n'
"""Lines 1 to 4."""
SPELLCHECK = '[[pipelines.phases]]\nname = "spellcheck"\n'
GENERIC = '[[pipelines.phases]]\nname = "grammar"\npayload = "generic"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pipelines.toml"
    path.write_text(text)
    return path


def refused(tmp_path: Path, text: str, topics: TopicTable | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_pipelines(written(tmp_path, text), topics)
    assert caught.value.code == "ORC-PIPELINE"
    assert "bos pipelines check" in caught.value.next_step
    return caught.value.message.replace(f"{tmp_path}/", "")


def test_the_built_in_default() -> None:
    assert load_pipelines().default == PipelineDefinition(
        name="default",
        version=1,
        phases=(
            PhaseDefinition(name="spellcheck"),
            PhaseDefinition(name="cj_assessment", after=("spellcheck",), when="enable_cj_assessment"),
        ),
    )


def test_the_built_in_pipeline_of_the_head_era() -> None:
    phases = load_pipelines().by_name["comprehensive"].phases
    assert [phase.name for phase in phases] == ["spellcheck", "cj_assessment", "nlp", "ai_feedback"]


def test_pipelines_of_ones_own(tmp_path: Path) -> None:
    text = (
        f'{HEAD}provisioning_deadline_s = 60\n{SPELLCHECK}deadline_s = 7200\n[[pipelines.phases]]\nname = "nlp"\n'
        f'when = "x"\n[[pipelines]]\nname = "q"\nversion = 3\n{GENERIC}max_attempts = 3\n'
    )
    pipelines = load_pipelines(written(tmp_path, text))
    assert list(pipelines.by_name) == ["p", "q"]
    assert pipelines.default.provisioning_deadline_s == 60
    assert pipelines.default.phases == (
        PhaseDefinition(name="spellcheck", deadline_s=7_200),
        PhaseDefinition(name="nlp", when="x"),
    )
    [grammar] = pipelines.by_name["q"].phases
    assert grammar == PhaseDefinition(name="grammar", payload="generic", max_attempts=3, echoes_attempt=True)


def test_the_topics_of_generic_commands(tmp_path: Path) -> None:
    text = f'{HEAD}{SPELLCHECK}{GENERIC}{GENERIC.replace("grammar", "style")}command_topic = "style.commands"\n'
    table = TopicTable(prefix="school")
    pipelines = load_pipelines(written(tmp_path, text), table)
    commands = command_topics(pipelines, table)
    assert commands.commands == ("school.batch.phase.grammar.command.v1", "style.commands")
    assert set(commands.commands) < {spec.name for spec in commands.specs() if spec.owner == "own"}
    assert load_pipelines(written(tmp_path, text), commands) == pipelines, "a table that has them already"


PURGE = 32 * 86_400
FAULTS = [
    ("default = ", 1, "Invalid value"),
    (f"{HEAD}{SPELLCHECK}after = [\n", 7, "Invalid value"),
    ('default = "p"\npipelines = [{name = 3, version = 1, phases = []}]', 2, "Expected `str`, got `int`"),
    (HEAD, 2, "missing required field `phases`"),
    (f"{HEAD}phases = []", 5, "at least one phase"),
    (f'default = "q"\n{HEAD[14:]}{SPELLCHECK}', 1, "default is 'q', which is no pipeline here (p)"),
    (f"{HEAD[14:]}{SPELLCHECK}", 1, "missing required field `default`"),
    (f"{HEAD}colour = 1\n{SPELLCHECK}", 5, "unknown name 'colour'"),
    (f"{HEAD}{SPELLCHECK}dedline_s = 1\n", 7, "unknown name 'dedline_s'"),
    (f"{HEAD}{SPELLCHECK}\n# of the second\n\n{GENERIC}dedline_s = 1\n", 13, "unknown name 'dedline_s'"),
    (f'name = "p"\nversion = 1\n{SPELLCHECK}', 1, "unknown name 'name'"),
    (HEAD.replace('"p"', '""') + SPELLCHECK, 3, "'' is no name"),
    (HEAD.replace("= 1", "= 0") + SPELLCHECK, 4, "must be at least 1"),
    (HEAD.replace("= 1", '= "1"') + SPELLCHECK, 4, "Expected `int`, got `str`"),
    (f"{HEAD}{SPELLCHECK}{SPELLCHECK}", 8, "phase spellcheck is there twice"),
    (f"{HEAD}{SPELLCHECK}{HEAD[14:]}{SPELLCHECK}", 8, "pipeline p is there twice"),
    (f'{HEAD}[[pipelines.phases]]\nname = "grammar"\n', 6, "no phase that HuleEdu's peers know"),
    (f"{HEAD}{GENERIC.replace('grammar', 'gram mar')}", 6, "'gram mar' is no name"),
    (f"{HEAD}{GENERIC.replace('grammar', 'last_updated')}", 6, "field of a batch's status"),
    (f'{HEAD}{SPELLCHECK}after = ["nlp"]\n', 7, "no phase here: nlp"),
    (f'{HEAD}{SPELLCHECK}after = [\n  "spellcheck",\n]\n', 7, "wait for each other"),
    (f'{HEAD}{SPELLCHECK}after = ["grammar"]\n{GENERIC}after = ["spellcheck"]\n', 7, "wait for each other"),
    (f'{HEAD}{SPELLCHECK}when = "x"\n', 5, "at least one must always be requested"),
    (f'{HEAD}{SPELLCHECK}{GENERIC}when = "course_code"\n', 10, "not true or false"),
    (f"{HEAD}{SPELLCHECK}max_attempts = 2\n", 7, "does not echo"),
    (f"{HEAD}{SPELLCHECK}max_attempts = 0\n", 7, "from 1 to 20"),
    (f"{HEAD}{GENERIC}max_attempts = 21\n", 8, "from 1 to 20"),
    (f"{HEAD}{GENERIC}echoes_attempt = false\n", 8, "always names the attempt"),
    (f"{HEAD}{SPELLCHECK}deadline_s = 60\n", 7, "stalled_after_s"),
    (f"{HEAD}{SPELLCHECK}deadline_s = 0\n", 7, "deadline_s"),
    (f"{HEAD}{SPELLCHECK}deadline_s = 99999999999\n", 7, "deadline_s"),
    (f"{HEAD}{SPELLCHECK}deadline_s = 60\nstalled_after_s = 61\n", 8, "stalled_after_s"),
    (f"{HEAD}{SPELLCHECK}stalled_after_s = 0\n", 7, "stalled_after_s"),
    (f"{HEAD}{SPELLCHECK}retry_backoff_s = 0\n", 7, "retry_backoff_s"),
    (f"{HEAD}{GENERIC}max_attempts = 20\nretry_backoff_s = 86400\n", 9, "longer than"),
    (f"{HEAD}{SPELLCHECK}hold_s = 0\n", 7, "hold_s"),
    (f'{HEAD}{SPELLCHECK}on_partial_failure = "shrug"\n', 7, "Invalid enum value 'shrug'"),
    (f'{HEAD}{SPELLCHECK}join = "some"\n', 7, "Invalid enum value 'some'"),
    (f'{HEAD}{SPELLCHECK}after = "nlp"\n', 7, "Expected `array`, got `str`"),
    (f"{HEAD}provisioning_deadline_s = 0\n{SPELLCHECK}", 5, "provisioning_deadline_s"),
    (f"{HEAD}purge_after_s = {PURGE}\n{SPELLCHECK}", 5, "purge_after_s"),
    (f'{HEAD}{SPELLCHECK}command_topic = "mine"\n', 7, 'command_topic is for payload = "generic"'),
    (f'{HEAD}{GENERIC}command_topic = "huleedu.batch.status.v1"\n', 8, "is the topic huleedu.batch.status.v1"),
    (f'{HEAD}{GENERIC}command_topic = "huleedu.batch_status.v1"\n', 8, "looks like, the topic huleedu.batch.status.v1"),
    (f'{HEAD}{GENERIC}command_topic = "huleedu.els.batch.essays.ready.v1"\n', 8, "looks like, the topic"),
    (f'{HEAD}{GENERIC}command_topic = "a topic"\n', 8, "no name of a topic"),
    (
        f'{HEAD}{GENERIC}{GENERIC.replace("grammar", "style")}command_topic = "huleedu.batch.phase.grammar.command.v1"',
        11,
        "which commands grammar",
    ),
]


@pytest.mark.parametrize(("text", "line", "fault"), FAULTS)
def test_a_wrong_definition_is_refused_with_its_line_and_its_fault(
    tmp_path: Path, text: str, line: int, fault: str
) -> None:
    told = refused(tmp_path, text)
    assert told.startswith(f"pipelines.toml, line {line}: ")
    assert fault.replace("is the topic", "is, or to Kafka looks like, the topic") in told


def test_every_fault_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = f'{HEAD}{SPELLCHECK}hold_s = 0\n{GENERIC}after = ["nowhere"]\nmax_attempts = 99\n'
    told = refused(tmp_path, text).split("\n  ")
    assert [one.split(":")[0] for one in told] == [f"pipelines.toml, line {line}" for line in (7, 11, 12)]


def test_every_wrong_name_and_type_is_told_at_once(tmp_path: Path) -> None:
    text = (
        f'{HEAD}colour = 1\nversion = "1"\n'.replace("version = 1\n", "")
        + f'{SPELLCHECK}dedline_s = 1\nhold_s = "x"\nafter = 3\n'
        + '[[pipelines.phases]]\npayload = "generic"\n[[pipelines.phases]]\nname = 4\nhold_s = "y"\n'
    )
    told = refused(tmp_path, text).split("\n  ")
    assert [one.split(":")[0] for one in told] == [
        f"pipelines.toml, line {line}" for line in (4, 5, 8, 9, 10, 11, 14, 15)
    ]


def test_what_several_pipelines_break_is_told_at_once(tmp_path: Path) -> None:
    second = f"{HEAD[14:]}{SPELLCHECK}hold_s = 0\n"
    first = HEAD.replace('default = "p"', 'default = "q"')
    told = refused(tmp_path, f"{first}{SPELLCHECK}hold_s = 0\n{second}").split("\n  ")
    assert [one.split(":")[0] for one in told] == [f"pipelines.toml, line {line}" for line in (1, 7, 9, 13)]


def test_two_pipelines_may_command_one_worker(tmp_path: Path) -> None:
    text = HEAD + GENERIC + HEAD[14:].replace('"p"', '"q"') + GENERIC
    topics = TopicTable()
    assert len(command_topics(load_pipelines(written(tmp_path, text)), topics).commands) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_pipelines(tmp_path / "nowhere.toml")


def test_a_stub_that_outlives_every_repeat_is_taken(tmp_path: Path) -> None:
    text = f"{HEAD}purge_after_s = {PURGE + 1}\n{SPELLCHECK}"
    assert load_pipelines(written(tmp_path, text)).default.purge_after_s == PURGE + 1


def test_a_stub_must_outlive_what_the_topics_of_this_deployment_keep(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}purge_after_s = 20\n{SPELLCHECK}")
    assert load_pipelines(path, TopicTable(retention_ms=5_000)).default.purge_after_s == 20
    with pytest.raises(ConfigurationError, match="must be above 30"):
        load_pipelines(path, TopicTable(retention_ms=10_000))
