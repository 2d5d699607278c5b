"""A process whose broker stands still ends by itself, and with the code that says so."""

from collections.abc import Iterator

import pytest

from cli.broker import DevBroker
from runtime import exit_codes
from tests.integration.processes import RunningProcess, provisioned

BOUND_S = 6.0
"""More than a broker on a busy machine is silent."""
LONG_SESSION = "from topology.stream import clients; clients.SESSION_TIMEOUT_MS *= 10"
"""After its session a member ends for another reason."""


@pytest.fixture(scope="module")
def broker() -> Iterator[DevBroker]:
    with DevBroker() as broker:
        yield broker


@pytest.mark.parametrize("name", ["router", "orchestrator"])
def test_a_process_that_hears_nothing_ends(
    broker: DevBroker, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp(name) / "state"
    settings = provisioned(broker, kafka_silence_timeout_s=BOUND_S, state_dir=state)
    with RunningProcess(name, settings, LONG_SESSION) as process:
        process.await_ready()
        broker.pause()
        try:
            assert process.wait() == exit_codes.NO_LIFE, process.errors
        finally:
            broker.resume()
    assert "ORC-NO-LIFE" in process.errors
