"""The pipelines whose latencies are compared: the product, and the bare loop behind the product's router."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench.alone import BARE_LOOP, ROUTER
from bench.whole import Whole
from bench.workplace import Workplace
from cli.supervision.stack import Stack
from runtime.settings import Settings

PRODUCT = "product"
BARE = "bare_loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A running pipeline that peers can be played for."""

    name: str
    settings: Settings
    pids: Callable[[], dict[str, int]]
    """Processes by their names, the broker and the load generator among them."""
    check: Callable[[Mapping[str, int]], None]
    """Raises `ProcessEnded` if one of these processes, from an earlier `pids`, has ended."""
    projects: bool
    """Whether it has a projection."""


def product(stack: Stack, whole: Whole) -> Pipeline:
    """Return the product with all its processes."""
    return Pipeline(name=PRODUCT, settings=stack.settings, pids=whole.pids, check=whole.check, projects=True)


@contextmanager
def bare(workplace: Workplace) -> Iterator[Pipeline]:
    """Run a router with the bare loop behind it, on topics of their own."""
    names = {"STATE_DIR": str(workplace.directory / "bare-loop")}
    settings = workplace.settings(**names)
    workplace.provision(settings)
    workplace.stamp_appends(settings)
    router_names = {"STATE_DIR": str(workplace.directory / "router")}
    with (
        workplace.process("router", ROUTER, router_names) as router,
        workplace.process("bare-loop", BARE_LOOP, names) as loop,
    ):
        own = {"router": router.pid, "bare loop": loop.pid, "load generator": os.getpid(), **workplace.broker_pids()}

        def check(_: Mapping[str, int]) -> None:
            workplace.check("router", router)
            workplace.check("bare-loop", loop)

        yield Pipeline(name=BARE, settings=settings, pids=lambda: own, check=check, projects=False)
