"""Every metric has one name, stands in the documents, and is exported by one kind of process."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from api.monitoring.metrics import ApiMetrics
from runtime import metric_names as names
from runtime.metrics import Metrics

ROOT = Path(__file__).parents[3]
STREAM = ("router", "orchestrator", "projector", "timekeeper")


def registry_of(process: str) -> CollectorRegistry:
    return ApiMetrics().registry if process == "api" else Metrics(process).registry


def full(name: str) -> str:
    return "_".join(filter(None, (names.namespace(name), name)))


@pytest.mark.parametrize("process", [*STREAM, "api"])
def test_a_process_exports_what_the_table_says(process: str) -> None:
    exported = {family.name for family in registry_of(process).collect()}
    assert exported == {full(name) for name, kinds in names.EXPORTED_BY.items() if process in kinds}


def test_what_the_api_exports_no_other_process_does() -> None:
    assert [name for name, kinds in names.EXPORTED_BY.items() if "api" in kinds and kinds != {"api"}] == []


def test_what_one_process_alone_can_know_comes_from_it_alone() -> None:
    shared = {name for name, kinds in names.EXPORTED_BY.items() if len(kinds) > 1}
    of_each_process = {
        names.ALIVE,
        names.ASSIGNED,
        names.RESTORED,
        names.ASSIGNED_PARTITIONS,
        names.LAG_SECONDS,
        names.BUILD,
    }
    by_the_one_who_did_it = {
        names.RECORDS_READ,
        names.RECORDS_WRITTEN,
        names.DEAD_LETTERS,
        names.UNREADABLE_RECORDS,
    }
    assert shared == of_each_process | by_the_one_who_did_it


def test_every_metric_has_a_help_text_and_an_exporter() -> None:
    assert names.HELP.keys() == names.EXPORTED_BY.keys()
    assert names.LABELS.keys() <= names.HELP.keys()


@pytest.mark.parametrize(("page", "kinds"), [("configuration.md", set(STREAM)), ("http.md", {"api"})])
def test_the_documents_list_every_metric(page: str, kinds: set[str]) -> None:
    tables = re.split(r"^\| metric \|.*\n", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)[1:]
    rows = [line for table in tables for line in table.partition("\n\n")[0].splitlines()]
    told = {name for row in rows for name in re.findall(r"`((?:batch|http)_[a-z_]+)`", row)}
    expected = {full(name) for name, by in names.EXPORTED_BY.items() if by & kinds}
    assert {re.sub(r"_(total|info)$", "", name) for name in told} == expected
