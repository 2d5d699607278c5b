"""What the README shows is run as it stands, but for addresses."""

import json
import re
import subprocess
import sys
from pathlib import Path

from cli.broker import Kafka
from cli.supervision.stack import Stack
from schemas.topics import Topic
from tests.e2e.conftest import StartStack
from tests.e2e.http import call
from tests.patience import await_that

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_producer_and_the_call_of_the_readme_register_a_batch(kafka: Kafka, start_stack: StartStack) -> None:
    stack = start_stack()
    check_producer(kafka, stack)
    check_call(stack)


def check_producer(kafka: Kafka, stack: Stack) -> None:
    requests = stack.settings.topics().name(Topic.REQUESTS)
    [program] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for shown, real in (("127.0.0.1:9092", kafka.bootstrap_servers), (Topic.REQUESTS.value, requests)):
        assert shown in program
        program = program.replace(shown, real)
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(batch_id)"], capture_output=True, text=True, check=True
    )
    await_that(lambda: _status(stack, done.stdout.strip())[0] == 200, "the batch is there")
    assert _status(stack, done.stdout.strip())[1]["status"] == "awaiting_content_validation"


def check_call(stack: Stack) -> None:
    shown = re.search(r"-H 'Idempotency-Key: (.+?)' \\\n\s+-d '(.+?)'", README, re.DOTALL)
    assert shown is not None
    headers = {"Idempotency-Key": shown[1]}
    status, answer = call("POST", f"{stack.api_url}/v1/batches/register", json.loads(shown[2]), headers)
    assert (status, answer["status"]) == (202, "registered")
    assert _status(stack, answer["batch_id"])[0] == 200


def test_every_command_of_the_readme_is_there() -> None:
    for command in set(re.findall(r"\bbos ([a-z-]+(?: (?:plan|apply))?)", README)):
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *command.split(), "--help"], capture_output=True, check=False
        )
        assert done.returncode == 0, command
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def _status(stack: Stack, batch_id: str) -> tuple[int, dict[str, object]]:
    return call("GET", f"{stack.api_url}/v1/batches/{batch_id}/status")
