"""What the documents name is there: modules, folders, links, and the tests that they say to run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("schemas", "state", "runtime", "topology", "api", "cli", "peers", "bench", "tests", "docs", "scripts")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if path.name != "CHANGELOG.md"
)
PLACE = re.compile(rf"(?<![\w/.-])((?:{'|'.join(PACKAGES)})/[\w./-]*\w/?)")
LINK = re.compile(r"\]\(([^)#]+)(?:#[\w-]*)?\)")
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text()
    places = {ROOT / place for place in PLACE.findall(text)}
    links = {ROOT / document / ".." / link for link in LINK.findall(text) if "://" not in link}
    missing = [str(path) for path in sorted(places | links) if not path.resolve().exists()]
    assert missing == []


def test_each_test_that_a_document_says_to_run_is_there() -> None:
    named = {found for document in DOCUMENTS for found in TEST.findall((ROOT / document).read_text())}
    assert named
    missing = [f"{path}::{test}" for path, test in named if f"def {test}(" not in (ROOT / path).read_text()]
    assert missing == []
