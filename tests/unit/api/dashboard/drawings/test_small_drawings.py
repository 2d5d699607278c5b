import pytest

from api.dashboard.drawings.git_lines import gutter
from api.dashboard.drawings.pipeline import PhaseLoad, pipeline_graph
from api.dashboard.drawings.sparkline import sparkline
from api.dashboard.drawings.status_bar import Part, status_bar
from api.dashboard.drawings.svg import joined, tag
from api.dashboard.drawings.time_scale import time_scale
from api.dashboard.drawings.words import clock, length
from tests.unit.api.dashboard.drawings.reading import of_class, parsed, table_rows
from tests.unit.state.clocked import phase, pipeline_of

DIAMOND = pipeline_of(
    phase("a"),
    phase("b", ("a",), when="enable_b"),
    phase("c", ("a",), max_attempts=3),
    phase("d", ("b", "c"), join="any", on_failure="hold"),
)


def test_a_sparkline_says_its_least_largest_and_last_value() -> None:
    root = parsed(sparkline([3, None, 12, 4.25], label="drain a minute", unit="essays"))
    assert root.get("aria-label") == "drain a minute: least 3 essays, largest 12 essays, last 4.2 essays"
    line = of_class(root, "spark-line")[0].get("d", "")
    assert line.count("M") == 2, "a missing value is a gap"


@pytest.mark.parametrize("points", [[], [None], [None, None]])
def test_a_sparkline_without_values_says_so(points: list[float | None]) -> None:
    assert "no values yet" in sparkline(points, label="drain")


@pytest.mark.parametrize("points", [[5.0], [0, 0, 0], [-1, -2], [7] * 60])
def test_a_sparkline_stays_in_its_box(points: list[float | None]) -> None:
    root = parsed(sparkline(points, label="x", width=120, height=28))
    last = of_class(root, "spark-last")[0]
    assert 0 <= float(last.get("cx", "")) <= 120
    assert 0 <= float(last.get("cy", "")) <= 28


def test_a_status_bar_fills_its_width_and_links_each_part() -> None:
    root = parsed(
        status_bar(
            [
                Part(label="processing", count=999, tone="running", href="/batches?status=processing_pipelines"),
                Part(label="waiting", count=1, tone="idle"),
                Part(label="failed", count=0, tone="failed"),
            ],
            label="Live batches",
        )
    )
    widths = [float(rect.get("width", "").rstrip("%")) for rect in of_class(root, "part")]
    assert sum(widths) == pytest.approx(100, abs=0.1)
    assert min(widths) > 1, "a part of one in a thousand is seen"
    assert ["".join(item.itertext()) for item in root.iter("li")] == ["999 processing", "1 waiting", "0 failed"]


def test_a_status_bar_of_nothing_is_an_empty_bar() -> None:
    assert of_class(parsed(status_bar([], label="Live batches")), "part-none")


def test_a_pipeline_is_drawn_in_layers_with_its_facts_as_a_table() -> None:
    loads = {"a": PhaseLoad(running=1_204, p50_ms=180_000, p95_ms=540_000), "d": PhaseLoad(attention=2)}
    root = parsed(pipeline_graph(DIAMOND, loads))
    xs = [float(box.get("x", "")) for box in of_class(root, "box")]
    assert xs[1] == xs[2], "b and c run in parallel"
    assert xs[0] < xs[1] < xs[3]
    assert len(of_class(root, "edge")) == 4
    rows = table_rows(root)
    assert rows[0] == ["a", "nothing", "always", "p50 3m · p95 9m", "1,204 running, 0 need attention"]
    assert rows[3][1:3] == ["b or c", "after any, held on failure"]


def test_lines_of_a_diamond_do_not_lie_upon_each_other() -> None:
    rows = ["a", "b", "c", "d"]
    found = gutter(rows, {"b": ["a"], "c": ["a"], "d": ["b", "c"]}, {row: 40.0 * i for i, row in enumerate(rows)})
    assert len({line.path for line in found.lines}) == 4
    assert all(0 < x < 64 for x in found.node_x.values())


def test_a_wide_pipeline_stays_in_the_gutter() -> None:
    rows = ["root", *(f"p{number}" for number in range(30)), "join"]
    after = {row: ["root"] for row in rows[1:-1]} | {"join": rows[1:-1]}
    found = gutter(rows, after, {row: 40.0 * i for i, row in enumerate(rows)})
    assert all(0 < x <= 64 for x in found.node_x.values())


def test_a_scale_is_monotonous_over_a_fold() -> None:
    scale = time_scale(0, 1_000_000, [1_000, 990_000], [], 100, 900)
    xs = [scale.x(time) for time in range(0, 1_000_001, 500)]
    assert xs == sorted(xs)
    assert (xs[0], xs[-1]) == (100, 900)
    assert [piece.folded for piece in scale.pieces] == [False, True, False]


def test_a_scale_folds_nothing_that_works() -> None:
    scale = time_scale(0, 1_000_000, [1_000, 990_000], [(1_000, 990_000)], 100, 900)
    assert not any(piece.folded for piece in scale.pieces)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0, "0s"), (59_400, "59s"), (60_000, "1m"), (2_472_000, "41m 12s"), (3_600_000, "1h"), (274_000_000, "3d 4h")],
)
def test_durations_have_their_two_largest_units(milliseconds: int, words: str) -> None:
    assert length(milliseconds) == words


def test_ticks_are_as_fine_as_their_step() -> None:
    at = 1_750_000_000_120
    assert [clock(at, step) for step in (1_000, 60_000, 86_400_000)] == ["15:06:40", "15:06", "15 Jun"]


def test_elements_escape_what_they_are_given() -> None:
    assert str(tag("a", "<b>", href='"x')) == '<a href="&#34;x">&lt;b&gt;</a>'
    assert str(joined("<", tag("i"))) == "&lt;<i></i>"
