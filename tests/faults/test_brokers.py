"""Brokers freeze, restart, are killed and stay away; afterwards everything is served again, and nothing is lost."""

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import ROUNDS, StartProduct
from tests.faults.product import Product

FREEZES_S = (2.0, 5.0, 10.0, 20.0)
AWAY_S = 70.0

Fault = Callable[[Product], None]


def single_freezes(product: Product) -> None:
    for seconds in FREEZES_S:
        product.freeze(seconds)
        time.sleep(1.0)


def four_freezes(product: Product) -> None:
    for number in range(4):
        time.sleep(3.0 if number else 0.0)
        product.freeze(5.0)


def restart(product: Product) -> None:
    product.broker.restart()


def killed(product: Product) -> None:
    product.broker.kill()
    product.broker.start()


def away(product: Product) -> None:
    product.broker.kill()
    time.sleep(AWAY_S)
    product.broker.start()


def one_of_them_frozen(product: Product) -> None:
    for node in product.broker.nodes:
        node.pause()
        time.sleep(10.0)
        node.resume()
        time.sleep(2.0)


def one_of_them_away(product: Product) -> None:
    first = product.broker.nodes[0]
    first.kill()
    time.sleep(AWAY_S)
    first.start()


FAULTS: tuple[Fault, ...] = (single_freezes, four_freezes, restart, killed, away)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_broker(start_product: StartProduct, fault: Fault) -> None:
    _hold(start_product(), fault)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("fault", [*FAULTS, one_of_them_frozen, one_of_them_away])
def test_three_brokers(start_product: StartProduct, fault: Fault) -> None:
    _hold(start_product(brokers=3), fault)


def _hold(product: Product, fault: Fault) -> None:
    took = []
    for number in range(ROUNDS):
        fault(product)
        took.append(product.served_again(f"{fault.__name__} {number + 1}"))
    assert product.nothing_lost()
    print(f"{fault.__name__}: at most {max(took):.1f} s over {ROUNDS} rounds")  # noqa: T201
