"""A short version of `make faults`: a frozen broker, one that restarts, and killed processes, under traffic.

`make faults` holds how soon the service is back; here it shares the machine with other tests.
"""

import time
from pathlib import Path

from cli.broker import DevBroker
from cli.supervision.stack import Stack, StackOptions
from tests.faults.product import Product
from tests.faults.traffic import Traffic
from tests.patience import PATIENCE_S


def test_service_comes_back_after_each_fault_and_nothing_is_lost(tmp_path: Path) -> None:
    with DevBroker() as broker:
        options = StackOptions(bootstrap_servers=broker.bootstrap_servers, directory=tmp_path / "stack")
        with Stack(options) as stack, Traffic(stack.api_urls, rate=10) as traffic:
            product = Product(broker, stack, traffic)
            product.freeze(5.0)
            product.served_again("freeze", PATIENCE_S)
            broker.restart()
            product.served_again("restart", PATIENCE_S)
            for name in ("orchestrator-0", "router", "projector", "timekeeper", "api-0"):
                stack.supervisor.kill(name)
                time.sleep(1.0)
            product.served_again("kills", PATIENCE_S)
            assert product.nothing_lost()
