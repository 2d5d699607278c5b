"""SIGKILL of an api in a storm of registrations: what was answered with 202 is there, and stays the same."""

import threading
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from cli.supervision.stack import Stack
from tests.e2e.conftest import StartStack
from tests.e2e.http import BODY, call, register, status_of
from tests.patience import PATIENCE_S, await_that

CLIENTS, ANSWERS = 8, 30


def was_under_way(error: OSError) -> bool:
    """Whether the connection ended in the middle of a call; a call that was refused has never reached the api."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    assert isinstance(reason, ConnectionError), error
    return not isinstance(reason, ConnectionRefusedError)


class Storm:
    """Clients that register batch after batch, until a kill of the api has hit a call that was under way."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.answered: dict[str, dict[str, Any]] = {}
        self.unanswered: list[str] = []
        self.enough = threading.Event()
        self.hit = threading.Event()

    def client(self, number: int) -> None:
        for turn in count():
            self._register(f"storm-{number}-{turn}")
            if self.hit.is_set():
                return

    def _register(self, key: str) -> None:
        url = f"{self._stack.api_url}/v1/batches/register"
        try:
            status, answer = call("POST", url, BODY, {"Idempotency-Key": key})
        except OSError as error:
            if not was_under_way(error):
                self._stack.await_ready()
                return
            self.unanswered.append(key)
            self.hit.set()
            return
        if status == 202:
            self.answered[key] = answer
        if len(self.answered) >= ANSWERS:
            self.enough.set()

    def kill(self) -> None:
        """Kill the api when enough is answered."""
        assert self.enough.wait(PATIENCE_S), f"{len(self.answered)} registrations are answered"
        self._stack.supervisor.kill("api-0")
        self.enough.clear()


def test_every_202_is_there_after_the_api_was_killed(start_stack: StartStack) -> None:
    stack = start_stack(apis=2)
    first, second = stack.api_urls
    storm, kills = Storm(stack), 0
    with ThreadPoolExecutor(CLIENTS) as clients:
        calls = [clients.submit(storm.client, number) for number in range(CLIENTS)]
        while not storm.hit.is_set():  # where a kill comes between two calls, the storm goes on
            storm.kill()
            kills += 1
            await_that(lambda: storm.hit.is_set() or storm.enough.is_set(), "the kill has hit a call, or missed all")
        for done in calls:
            done.result()
    stack.await_ready()
    assert storm.unanswered
    assert 1 <= stack.supervisor.restarts["api-0"] <= kills
    for key, answer in storm.answered.items():
        for url in (first, second):
            assert status_of(url, answer["batch_id"])["batch_id"] == answer["batch_id"]
            assert register(url, key) == answer
    for key in storm.unanswered:
        assert register(first, key) == register(second, key)
