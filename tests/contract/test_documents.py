"""What the documents show is what the code takes."""

import json
import re
import tomllib
from pathlib import Path

import msgspec

from schemas.inbound.normalise import normalise
from schemas.internal.events import EssaysReady, PhaseConcluded, RegisterBatch, RetryPhase
from schemas.outbound.render import Envelope
from schemas.outbound.worker_command import WorkerCommand
from schemas.topics import Topic
from state.pipelines.loader import load_pipelines
from tests.contract.batches import AT, POLICY

ROOT = Path(__file__).parents[2]


def snippets(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / document).read_text(), flags=re.DOTALL)


def test_the_documented_requests_are_read() -> None:
    documented = snippets("requests.md", "json")
    registered, retried = (normalise(Topic.REQUESTS, AT, text.encode(), {}, POLICY).body for text in documented)
    assert isinstance(registered, RegisterBatch)
    assert registered.requested_phases == ("spellcheck", "cj_assessment")
    assert isinstance(retried, RetryPhase)
    assert (retried.phase, retried.essays) == ("spellcheck", "failed")


def test_the_documented_pipelines_are_the_built_in_ones(tmp_path: Path) -> None:
    _, built_in = snippets("pipelines.md", "toml")
    path = tmp_path / "documented.toml"
    path.write_text(built_in)
    assert tomllib.loads(path.read_text())
    assert load_pipelines(path) == load_pipelines()


def test_the_documented_pipeline_of_one_phase_can_be_used(tmp_path: Path) -> None:
    own, _ = snippets("pipelines.md", "toml")
    path = tmp_path / "documented.toml"
    path.write_text(own)
    [phase] = load_pipelines(path).default.phases
    assert (phase.name, phase.deadline_s, phase.stalled_after_s, phase.max_attempts) == ("grammar", 3_600, 600, 3)


def test_the_example_pipelines_can_be_used() -> None:
    assert load_pipelines(ROOT / "examples" / "pipelines.toml").default_name == "essays"


def test_the_documented_command_is_one_that_workers_get() -> None:
    _, documented, _ = map(json.loads, snippets("workers.md", "json"))
    command = msgspec.convert(documented["data"], WorkerCommand)
    assert msgspec.to_builtins(command).keys() == documented["data"].keys()
    assert documented.keys() == set(Envelope.__struct_fields__)


def test_the_documented_start_of_a_batch_is_read() -> None:
    documented, _, _ = snippets("workers.md", "json")
    body = normalise(Topic.ESSAYS_READY, AT, documented.encode(), {}, POLICY).body
    assert isinstance(body, EssaysReady)
    assert [(each.essay_id, each.text_storage_id) for each in body.essays] == [("e1", "t1"), ("e2", "t2")]


def test_the_documented_outcome_is_read() -> None:
    _, _, documented = snippets("workers.md", "json")
    body = normalise(Topic.WORKER_OUTCOME, AT, documented.encode(), {}, POLICY).body
    assert isinstance(body, PhaseConcluded)
    assert (body.failed_essay_ids, body.not_retryable) == (("e2",), ("e2",))
