"""docker-compose.yml and Dockerfile, held against the code's own names, ports and settings."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from api.settings import ApiSettings
from cli.broker import KAFKA_VERSION
from cli.main import app
from runtime.settings import ENV_PREFIX
from schemas.limits import Limits

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "batch-orchestrator"}


def _settings(service: dict[str, Any]) -> ApiSettings:
    values = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in service["environment"].items()}
    return ApiSettings.model_validate(values)


def test_the_services_are_the_ones_promised() -> None:
    processes = {"router", "orchestrator-0", "orchestrator-1", "projector", "timekeeper", "api"}
    assert set(SERVICES) == {"kafka", "topics"} | processes


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_of_bos(name: str) -> None:
    command = get_command(app)
    for word in OURS[name]["command"]:
        if word.startswith("--"):
            assert word in {option for parameter in command.params for option in parameter.opts}
        else:
            command = command.commands[word]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", OURS)
def test_each_setting_is_one_of_the_code(name: str) -> None:
    for variable in OURS[name]["environment"]:
        assert variable.startswith(ENV_PREFIX)
        assert variable.removeprefix(ENV_PREFIX).lower() in ApiSettings.model_fields
    assert _settings(OURS[name]).kafka_bootstrap_servers == "kafka:9092"


def test_orchestrators_have_names_and_stores_of_their_own() -> None:
    first, second = (_settings(OURS[f"orchestrator-{number}"]) for number in (0, 1))
    assert first.instance != second.instance
    assert OURS["orchestrator-0"]["volumes"] != OURS["orchestrator-1"]["volumes"]
    for settings in (first, second):
        assert str(settings.state_dir).startswith("/data/")


def test_projector_and_api_share_the_projection() -> None:
    for name in ("projector", "api"):
        assert _settings(OURS[name]).projection_url == "sqlite:////projection/projection.db"
        assert "projection:/projection" in OURS[name]["volumes"]


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_ports_are_bound_to_loopback(name: str, service: dict[str, Any]) -> None:
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:"), name


def test_the_api_is_published_where_it_listens() -> None:
    settings = _settings(OURS["api"])
    assert OURS["api"]["ports"] == [f"127.0.0.1:{settings.port}:{settings.port}"]
    assert settings.port == ApiSettings.model_fields["port"].default


@pytest.mark.parametrize("name", sorted(set(OURS) - {"topics"}))
def test_health_is_asked_where_the_process_answers(name: str) -> None:
    settings = _settings(OURS[name])
    port = settings.port if name == "api" else settings.metrics_port
    found = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", OURS[name]["healthcheck"]["test"][-1])
    assert found is not None
    assert int(found[1]) == port
    assert found[2] in ("/livez", "/readyz")


def test_processes_wait_for_their_topics_and_stop_in_order() -> None:
    for name in set(OURS) - {"topics"}:
        assert OURS[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"
        assert OURS[name]["restart"] == "always"
    assert OURS["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"


def test_kafka_is_the_version_of_tests_and_takes_the_largest_record() -> None:
    kafka = SERVICES["kafka"]
    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    limits = Limits()
    assert kafka["environment"]["KAFKA_MESSAGE_MAX_BYTES"] > max(limits.state_bytes, limits.dead_letter_bytes)
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_kafka_keeps_its_data_as_long_as_the_others_keep_theirs() -> None:
    kafka = SERVICES["kafka"]
    assert kafka["volumes"] == [f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}"]


def test_volumes_are_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])


def test_the_image_installs_what_the_lock_says_and_runs_bos() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in lines
    assert 'ENTRYPOINT ["bos"]' in lines
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE):
        for source in shlex.split(copied):
            assert (ROOT / source).exists()
    for volume in ("/data", "/projection"):
        assert re.search(rf"mkdir .*{volume}\b.* && chown orchestrator .*{volume}\b", lines)
