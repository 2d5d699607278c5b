"""Fixtures of all tests: one Kafka for the session, started by the first test that asks for it.

Nothing of Kafka is imported here before that: a test of the decision core needs neither the client nor the jars.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.broker import Kafka

# What the tests ask runs on this machine, where no proxy of the environment leads.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
BOOTSTRAP_VARIABLE = "BOS_TEST_BOOTSTRAP_SERVERS"


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator["Kafka"]:
    """Return the cluster named in BOS_TEST_BOOTSTRAP_SERVERS, or a development broker for this session."""
    from cli.broker import kafka_from  # noqa: PLC0415 - a test of the core loads no Kafka client

    capture = request.config.pluginmanager.getplugin("capturemanager")
    # A first start fetches Kafka: that progress must be seen.
    with ExitStack() as stack:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            cluster = stack.enter_context(kafka_from(BOOTSTRAP_VARIABLE))
        yield cluster


def pytest_collection_finish() -> None:
    """Exclude the objects of the imports from later garbage collections, which run after each module."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def leaks_show_in_their_module() -> Iterator[None]:
    """Fail the module that left a resource open, not the test in which it happens to be collected."""
    yield
    gc.collect()


def pytest_report_header() -> str:
    return f"kafka: a development broker, started when a test asks for it, or the cluster in {BOOTSTRAP_VARIABLE}"
