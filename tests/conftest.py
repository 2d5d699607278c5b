"""What all tests share: one Kafka for the session."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext

import pytest

from cli.broker import KAFKA_VERSION, Kafka, kafka_from

# What the tests ask runs on this machine, where no proxy of the environment leads.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
BOOTSTRAP_VARIABLE = "BOS_TEST_BOOTSTRAP_SERVERS"


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """The cluster named in BOS_TEST_BOOTSTRAP_SERVERS, or else a development broker for this session. Never skips."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    # A first start fetches Kafka: that progress must be seen.
    with ExitStack() as stack:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            cluster = stack.enter_context(kafka_from(BOOTSTRAP_VARIABLE))
        yield cluster


@pytest.fixture(scope="module", autouse=True)
def leaks_show_in_their_module() -> Iterator[None]:
    """Whatever was left open fails the module that left it, not the test in which it happens to be collected."""
    yield
    gc.collect()


def pytest_report_header() -> str:
    return f"kafka: Apache Kafka {KAFKA_VERSION} as a development broker, or the cluster in {BOOTSTRAP_VARIABLE}"
