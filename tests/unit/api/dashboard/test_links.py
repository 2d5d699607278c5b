from urllib.parse import parse_qs, urlsplit

import pytest

from api.dashboard.views.links import api_url, batch_url, decision_url, list_url


def test_a_batch_has_its_id_in_the_path() -> None:
    assert batch_url("7f3a") == "/batches/7f3a"
    assert decision_url("7f3a", 18_812) == "/batches/7f3a/decisions/18812"
    assert api_url("7f3a", "stream") == "/v1/batches/7f3a/stream"


def test_an_id_can_hold_anything() -> None:
    assert batch_url("a/b?c#d é") == "/batches/a%2Fb%3Fc%23d%20%C3%A9"


@pytest.mark.parametrize("name", [".", ".."])
def test_an_id_that_browsers_remove_from_a_path_goes_into_the_query(name: str) -> None:
    for url in (batch_url(name), decision_url(name, 3), batch_url(name, "/actions/retry", phase="nlp"), api_url(name)):
        assert parse_qs(urlsplit(url).query)["batch_id"] == [name]
        assert name not in urlsplit(url).path.split("/")


def test_what_is_not_given_is_not_in_the_query() -> None:
    assert batch_url("7f3a", "/actions/retry", phase="nlp", essays=None) == "/batches/7f3a/actions/retry?phase=nlp"


def test_a_list_has_its_filter_in_the_query() -> None:
    assert list_url({"status": ["cancelled", "failed_critically"]}) == (
        "/batches?status=cancelled&status=failed_critically"
    )
    assert list_url() == "/batches"
