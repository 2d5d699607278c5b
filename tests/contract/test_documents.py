"""What the documents show is what the code takes."""

import re
import tomllib
from pathlib import Path

from schemas.inbound.normalise import normalise
from schemas.internal.events import RegisterBatch
from schemas.topics import Topic
from state.pipelines.loader import load_pipelines
from tests.contract.batches import AT, POLICY

ROOT = Path(__file__).parents[2]


def snippet(document: str, language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / document).read_text(), flags=re.DOTALL)
    return str(found)


def test_the_documented_request_is_read() -> None:
    record = normalise(Topic.REQUESTS, AT, snippet("requests.md", "json").encode(), {}, POLICY)
    assert isinstance(record.body, RegisterBatch)
    assert record.body.requested_phases == ("spellcheck", "cj_assessment")


def test_the_documented_pipeline_is_the_built_in_one(tmp_path: Path) -> None:
    path = tmp_path / "documented.toml"
    path.write_text(snippet("pipelines.md", "toml"))
    assert tomllib.loads(path.read_text())
    assert load_pipelines(path) == load_pipelines()
