from api.dashboard.views.filters import chips, given, list_views, query_of
from api.queries.filters import NAMES, parse_filter
from state.projection import StatusCounts

COUNTS = StatusCounts(
    batches={"processing_pipelines": 398, "awaiting_content_validation": 14, "completed_successfully": 900},
    phases={},
    paused=3,
    attention=5,
)


def test_each_part_of_a_filter_is_a_chip_that_can_be_removed_alone() -> None:
    items = [("status", "failed_critically"), ("phase", "nlp"), ("stalled", "yes")]
    found = chips(items)
    assert [(chip.label, chip.value) for chip in found] == [("status", "failed"), ("phase", "nlp"), ("", "stalled")]
    assert found[1].without_url == "/batches?status=failed_critically&stalled=yes"


def test_a_flag_is_told_in_words() -> None:
    assert [chip.value for chip in chips([("ended", "no"), ("ended", "yes"), ("held", "no")])] == [
        "live",
        "ended",
        "not held",
    ]


def test_empty_fields_and_the_place_in_the_list_are_no_filter() -> None:
    assert given([("phase", ""), ("cursor", "abc"), ("owner", "berg")]) == [("owner", "berg")]


def test_every_view_is_a_filter_that_the_list_takes() -> None:
    for view in list_views([], COUNTS, NAMES):
        query = [part.split("=") for part in view.url.partition("?")[2].split("&") if part]
        parse_filter(query_of([(name, value) for name, value in query]), now_ms=0)


def test_views_show_the_counts_that_are_kept() -> None:
    found = {view.label: view.count for view in list_views([], COUNTS, NAMES)}
    assert found["Live"] == 412
    assert found["All"] == 1_312
    assert found["Needs a person"] == 5
    assert found["Failed, 24 h"] is None


def test_the_view_that_equals_the_filter_is_the_active_one() -> None:
    found = list_views([("since", "24h"), ("status", "failed_critically")], COUNTS, NAMES)
    assert [view.label for view in found if view.active] == ["Failed, 24 h"]
