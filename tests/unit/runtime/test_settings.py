from pathlib import Path

import pytest

from api.settings import ApiSettings
from cli.broker.jars import CACHE_VARIABLE, REPOSITORY_VARIABLE
from runtime.settings import ENV_PREFIX, Settings
from runtime.settings_loading import ignored_variables, load, load_settings, variable
from runtime.settings_sources import API_SETTINGS
from schemas.errors import ConfigurationError


def set_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(ENV_PREFIX + name, value)


def test_the_names_of_the_service_before_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "LOG_LEVEL": "DEBUG",
        "PORT": "5001",
        "HOST": "127.0.0.2",
        "WEB_CONCURRENCY": "2",
        "GRACEFUL_TIMEOUT": "7",
        "KEEP_ALIVE_TIMEOUT": "3",
        "SERVICE_NAME": "batches",
        "ENVIRONMENT": "production",
        "KAFKA_CONSUMER_GROUP_ID": "batch-orchestrator-consumers",
    }.items():
        set_variable(monkeypatch, name, value)
    settings = load(ApiSettings)
    assert settings.kafka()["bootstrap.servers"] == "kafka:9092"
    assert (settings.log_level, settings.port, settings.host) == ("DEBUG", 5001, "127.0.0.2")
    assert (settings.web_concurrency, settings.graceful_timeout_s, settings.keep_alive_timeout_s) == (2, 7, 3)
    assert (settings.service_name, settings.environment) == ("batches", "production")
    assert settings.orchestrator_group == "batch-orchestrator-consumers"


def test_the_new_name_wins_over_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "KAFKA_CONSUMER_GROUP_ID", "old")
    set_variable(monkeypatch, "ORCHESTRATOR_GROUP", "new")
    assert load_settings().orchestrator_group == "new"


def test_settings_come_from_an_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{ENV_PREFIX}METRICS_PORT=5005\n{ENV_PREFIX}KAFKA_CONSUMER_GROUP_ID=from-file\n")
    assert load_settings().metrics_port == 5005
    assert load_settings().orchestrator_group == "from-file"


def test_a_secret_comes_from_the_file_that_its_setting_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush hush\n")
    set_variable(monkeypatch, "KAFKA_SASL_PASSWORD_FILE", str(secret))
    settings = load_settings()
    assert settings.kafka()["sasl.password"] == "hush hush"
    assert "hush" not in repr(settings)


def test_any_setting_can_come_from_a_file_named_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "extra").write_text('{"client.rack": "a"}')
    (tmp_path / "port").write_text("5007\n")
    (tmp_path / ".env").write_text(
        f"{ENV_PREFIX}KAFKA_EXTRA_FILE={tmp_path / 'extra'}\n{ENV_PREFIX}METRICS_PORT_FILE={tmp_path / 'port'}\n"
    )
    settings = load_settings()
    assert settings.kafka()["client.rack"] == "a"
    assert settings.metrics_port == 5007


def test_a_setting_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("sqlite:///a.db")
    set_variable(monkeypatch, "PROJECTION_URL", "sqlite:///b.db")
    set_variable(monkeypatch, "PROJECTION_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ConfigurationError, match=r"PROJECTION_URL and .*PROJECTION_URL_FILE are both set"):
        load_settings()


def test_a_file_that_is_not_there_is_named_by_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "KAFKA_SASL_PASSWORD_FILE", "nowhere")
    with pytest.raises(ConfigurationError, match="KAFKA_SASL_PASSWORD_FILE names cannot be read: No such file"):
        load_settings()


def test_all_wrong_settings_are_named_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "METRICS_PORT": "secret1",
        "LOG_LEVEL": "secret2",
        "MAX_ESSAYS": "0",
        "ROUTER_START": "secret3",
    }.items():
        set_variable(monkeypatch, name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith("ORC-CONFIG: ")
    assert all(ENV_PREFIX + name in message for name in ("METRICS_PORT", "LOG_LEVEL", "MAX_ESSAYS", "ROUTER_START"))
    assert "secret" not in message
    assert "Next step:" in message


def test_json_that_is_none_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "KAFKA_EXTRA", "{secret")
    with pytest.raises(ConfigurationError, match="KAFKA_EXTRA: is not valid JSON") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_sizes_out_of_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "MAX_INPUT_BYTES", str(7 * 1_048_576))
    with pytest.raises(ConfigurationError, match="input_bytes"):
        load_settings()


def test_records_are_kept_for_a_day_at_least_but_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{ENV_PREFIX}TOPIC_RETENTION_S", "60")
    with pytest.raises(ConfigurationError, match="ENVIRONMENT=testing"):
        load_settings()
    monkeypatch.setenv(f"{ENV_PREFIX}ENVIRONMENT", "testing")
    assert load_settings().topics().retention_ms == 60_000


def test_phases_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "DEFAULT_PHASES", "cj_assessment, nlp")
    assert load_settings().default_phases == ("cj_assessment", "nlp")


@pytest.mark.parametrize("start", ["earliest", "latest", "2026-01-31T12:00:00Z", "2026-01-31"])
def test_the_router_can_start_at_either_end_or_at_a_time(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    set_variable(monkeypatch, "ROUTER_START", start)
    assert load_settings().router_start == start


def test_variables_that_change_nothing_are_told() -> None:
    ignored = ignored_variables(
        [ENV_PREFIX + "REDIS_URL", ENV_PREFIX + "KAFKA_CONSUMER_GROUP_ID", "KAFKA_BOOTSTRAP_SERVERS", "PATH"]
    )
    assert set(ignored) == {ENV_PREFIX + "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS"}
    assert variable("kafka_bootstrap_servers") in ignored["KAFKA_BOOTSTRAP_SERVERS"]


def test_a_name_without_prefix_is_no_mistake_beside_the_real_one() -> None:
    assert not ignored_variables(["LOG_LEVEL", variable("log_level")])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_an_env_file_in_another_encoding_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(f"{ENV_PREFIX}SERVICE_NAME=skön\n".encode(encoding))
    with pytest.raises(ConfigurationError, match=r"\.env is not UTF-8") as refused:
        load_settings()
    assert refused.value.code == "ORC-CONFIG"


def test_no_client_has_topics_made(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "KAFKA_EXTRA", '{"allow.auto.create.topics": true}')
    with pytest.raises(ConfigurationError, match=r"KAFKA_EXTRA: allow.auto.create.topics cannot be set"):
        load_settings()
    set_variable(monkeypatch, "KAFKA_EXTRA", "{}")
    assert load_settings().kafka()["allow.auto.create.topics"] is False


def test_a_misspelt_name_is_told_with_the_nearest_one() -> None:
    misspelt = {
        "KAFKA_BOOTSTRAP_SERVER": "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SASL_PASWORD_FILE": "KAFKA_SASL_PASSWORD_FILE",
        "WEB_CONCURENCY": "WEB_CONCURRENCY",
        "ROUTERSTART": "ROUTER_START",
    }
    ignored = ignored_variables([ENV_PREFIX + name for name in misspelt])
    assert {name: advice.rsplit(maxsplit=1)[-1] for name, advice in ignored.items()} == {
        ENV_PREFIX + name: f"{ENV_PREFIX}{nearest}." for name, nearest in misspelt.items()
    }


def test_a_name_that_is_near_to_none_is_told() -> None:
    ignored = ignored_variables([ENV_PREFIX + "ZZZZ"])
    assert "docs/configuration.md" in ignored[ENV_PREFIX + "ZZZZ"]


def test_every_name_that_means_something_is_no_mistake() -> None:
    fields = [variable(name) for name in ApiSettings.model_fields]
    known = [*fields, *(name + "_FILE" for name in fields), CACHE_VARIABLE, REPOSITORY_VARIABLE]
    assert ignored_variables([*known, variable("kafka_consumer_group_id")]) == {}


def test_a_misspelt_name_in_the_env_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{ENV_PREFIX}INSTANCES=1\n")
    assert variable("instance") in ignored_variables()[ENV_PREFIX + "INSTANCES"]


def test_settings_of_the_api_are_known_to_every_process() -> None:
    assert ApiSettings.model_fields.keys() - Settings.model_fields.keys() == API_SETTINGS


def test_a_setting_that_no_kafka_client_takes_is_told_when_settings_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variable(monkeypatch, "KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    set_variable(monkeypatch, "KAFKA_SASL_MECHANISM", "SCRAM-SHA-513")
    set_variable(monkeypatch, "KAFKA_SASL_USERNAME", "orchestrator")
    set_variable(monkeypatch, "KAFKA_SASL_PASSWORD", "hush")
    with pytest.raises(ConfigurationError, match="KAFKA_SASL_MECHANISM"):
        load_settings()
