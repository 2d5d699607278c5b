"""The scopes of the api, and those that the decision knows."""

from api import auth
from state.decision import requests


def test_the_api_and_the_decision_call_the_scope_for_any_owner_the_same() -> None:
    assert auth.ANY_OWNER == requests.ANY_OWNER
