from msgspec.structs import replace

from api.dashboard.views.requests import request_rows
from schemas.internal.enums import Disposition
from schemas.internal.events import Principal
from tests.unit.state.projection.log import batch_id, history

ANNA, BO = (Principal(subject=name) for name in ("anna", "bo"))


def test_requests_alike_in_a_row_are_one_row() -> None:
    bulk = [history(number, 50 - number, 50, 1, kind="pause", actor=ANNA) for number in range(3)]
    found = request_rows([*bulk, replace(bulk[0], actor=BO), replace(bulk[0], disposition=Disposition.REFUSED)])
    assert [(row.title, row.by, row.count) for row in found] == [
        ("Pause 3 batches", "anna", 3),
        ("Pause", "bo", 1),
        ("Pause", "anna", 1),
    ]
    assert found[0].batch_url == f"/batches/{batch_id(0)}"
