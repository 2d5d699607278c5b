"""Fixtures of all tests: one Kafka for the session, started by the first test that asks for it.

Nothing of Kafka is imported here before that: a test of the decision core needs neither the client nor the jars.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import broker_classes

if TYPE_CHECKING:
    from cli.broker import Kafka

# The same examples in every run, without a limit of time: `pytest --hypothesis-profile=explore` looks elsewhere.
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=3_000)
settings.load_profile("ci")
# What the tests ask runs on this machine, where no proxy of the environment leads.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
broker_classes.use()
ROOT = Path(__file__).parent
UNHURRIED = {"broker.session.timeout.ms": "120000"}
"""A broker that gets little of a busy machine is not taken for dead by its own controller, which takes the partitions
from it. One that is killed could not come back for so long: tests that kill one have their own."""
BOOTSTRAP_VARIABLE = "BOS_TEST_BOOTSTRAP_SERVERS"


LONGEST_FIRST = (
    *("integration/test_router_offsets.py", "integration/test_projector.py", "integration/test_health.py"),
    *("integration/test_guards.py", "integration/test_broker_directory.py", "integration/test_timekeeper.py"),
    *("e2e/test_demo.py", "e2e/test_sizes.py", "e2e/test_commands.py", "e2e/test_faults.py", "e2e/test_scaling.py"),
    "e2e/test_story.py",
    *("integration/test_router_process.py", "integration/test_orchestrator.py", "integration/test_slow_database.py"),
    "unit/api/openapi/test_schemathesis.py",
)
"""Files of minutes, before the tests that are marked as slow. `make test` gives the next test, or file of tests on
Kafka, to whoever is free: a long one at the end would run alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {ROOT / name: place for place, name in enumerate(LONGEST_FIRST)}
    slow, quick = len(rank), len(rank) + 1
    items.sort(key=lambda item: rank.get(item.path, slow if item.get_closest_marker("slow") else quick))


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator["Kafka"]:
    """Return the cluster named in BOS_TEST_BOOTSTRAP_SERVERS, or a development broker for this session."""
    from cli.broker import kafka_from  # noqa: PLC0415 - a test of the core loads no Kafka client

    capture = request.config.pluginmanager.getplugin("capturemanager")
    # A first start fetches Kafka: that progress must be seen.
    with ExitStack() as stack:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            cluster = stack.enter_context(kafka_from(BOOTSTRAP_VARIABLE, settings=UNHURRIED))
        yield cluster


def pytest_collection_finish() -> None:
    """Exclude the objects of the imports from later garbage collections, which run after each module."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def leaks_show_in_their_module() -> Iterator[None]:
    """Fail the module that left a resource open, not the test in which it happens to be collected.

    What outlives the module is frozen: going through it after each of 350 modules took a seventh of the tests' time.
    """
    yield
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    return f"kafka: a development broker, started when a test asks for it, or the cluster in {BOOTSTRAP_VARIABLE}"
