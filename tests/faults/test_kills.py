"""SIGKILL of one process after the other under traffic: nothing is lost, and everything is served afterwards."""

import random
import time

import pytest

from tests.faults.conftest import KILLS, StartProduct

PAUSES_S = (3.0, 10.0)


@pytest.mark.timeout(3_600)
def test_kills_spread_over_all_processes(start_product: StartProduct) -> None:
    product = start_product()
    chance = random.Random(1)
    names = sorted(product.stack.supervisor.restarts)
    for number in range(KILLS):
        time.sleep(chance.uniform(*PAUSES_S))
        product.stack.supervisor.kill(names[number % len(names)])
    product.served_again(f"{KILLS} kills")
    product.nothing_lost()
    assert sum(product.stack.supervisor.restarts.values()) >= KILLS
