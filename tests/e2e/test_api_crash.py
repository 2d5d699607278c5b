"""SIGKILL of an api in a storm of registrations: what was answered with 202 is there, and stays the same."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.e2e.conftest import StartStack
from tests.e2e.http import BODY, call, register, status_of

CLIENTS, CALLS = 8, 20


def test_every_202_is_there_after_the_api_was_killed(start_stack: StartStack) -> None:
    stack = start_stack(apis=2)
    first, second = stack.api_urls
    answered: dict[str, dict[str, Any]] = {}
    unanswered: list[str] = []
    killed = threading.Event()

    def client(number: int) -> None:
        for turn in range(CALLS):
            key = f"storm-{number}-{turn}"
            try:
                status, answer = call("POST", f"{first}/v1/batches/register", BODY, {"Idempotency-Key": key})
            except OSError:
                unanswered.append(key)
                continue
            if status == 202:
                answered[key] = answer
            if len(answered) >= 30 and not killed.is_set():
                killed.set()
                stack.supervisor.kill("api-0")

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))
    assert killed.is_set()
    assert unanswered, "the kill hit no call that was under way"
    stack.await_ready()
    assert stack.supervisor.restarts["api-0"] == 1
    for key, answer in answered.items():
        for url in (first, second):
            assert status_of(url, answer["batch_id"])["batch_id"] == answer["batch_id"]
            assert register(url, key) == answer
    for key in unanswered:
        assert register(first, key) == register(second, key)
