"""The page about the configuration is held to the code."""

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.settings import ApiSettings
from cli.broker.jars import CACHE_VARIABLE, REPOSITORY_VARIABLE
from runtime import exit_codes

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\| (.*) \|$", re.MULTILINE)


def shown(default: Any) -> str:
    if default is None or default == () or isinstance(default, SecretStr):
        return ""
    return str(list(default)).replace("'", '"') if isinstance(default, tuple) else str(default)


def test_every_setting_is_on_the_page_with_its_default() -> None:
    on_the_page = {name: default for name, default, _ in ROW.findall(PAGE.read_text())}
    in_the_code = {
        name.upper(): shown(field.get_default(call_default_factory=True))
        for name, field in ApiSettings.model_fields.items()
    }
    assert on_the_page == in_the_code


def test_variables_that_are_no_settings_are_on_the_page() -> None:
    page = PAGE.read_text()
    for variable in (CACHE_VARIABLE, REPOSITORY_VARIABLE, "BATCH_ORCHESTRATOR_URL", "BOS_URL"):
        assert f"- `{variable}`: " in page


def test_every_exit_code_is_on_the_page() -> None:
    on_the_page = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)}
    in_the_code = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert on_the_page == in_the_code
