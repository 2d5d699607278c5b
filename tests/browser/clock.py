"""The clock of the application under test, which stands still at `NOW_MS`."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI

import api.control.preview
import api.letters.previews
import api.letters.service
import api.live.hub
from api.dependencies import Services
from tests.browser.stories import NOW_MS

_MODULES: tuple[ModuleType, ...] = (api.control.preview, api.letters.previews, api.letters.service, api.live.hub)
"""Those that ask for the time of day themselves."""


class _StandingTime:
    """The module `time`, whose time of day stands still; timeouts go on."""

    def time_ns(self) -> int:
        return NOW_MS * 1_000_000

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@contextmanager
def standing_clock(app: FastAPI) -> Iterator[None]:
    """Let the time of day stand still in an application that has started."""
    services: Services = app.state.services
    app.state.clock_ms = NOW_MS
    for service in (services.lists, services.system, services.whys):
        service._clock_ms = lambda: NOW_MS
    with ExitStack() as stack:
        for module in _MODULES:
            stack.enter_context(patch.object(module, "time", _StandingTime()))
        yield
