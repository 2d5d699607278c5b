"""What the documents show is what the code takes."""

import re
import tomllib
from pathlib import Path

from schemas.inbound.normalise import normalise
from schemas.internal.events import RegisterBatch, RetryPhase
from schemas.topics import Topic
from state.pipelines.loader import load_pipelines
from tests.contract.batches import AT, POLICY

ROOT = Path(__file__).parents[2]


def snippets(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / document).read_text(), flags=re.DOTALL)


def snippet(document: str, language: str) -> str:
    [found] = snippets(document, language)
    return found


def test_the_documented_requests_are_read() -> None:
    documented = snippets("requests.md", "json")
    registered, retried = (normalise(Topic.REQUESTS, AT, text.encode(), {}, POLICY).body for text in documented)
    assert isinstance(registered, RegisterBatch)
    assert registered.requested_phases == ("spellcheck", "cj_assessment")
    assert isinstance(retried, RetryPhase)
    assert (retried.phase, retried.essays) == ("spellcheck", "failed")


def test_the_documented_pipeline_is_the_built_in_one(tmp_path: Path) -> None:
    path = tmp_path / "documented.toml"
    path.write_text(snippet("pipelines.md", "toml"))
    assert tomllib.loads(path.read_text())
    assert load_pipelines(path) == load_pipelines()
