import json
from typing import Any

from runtime.health import ProcessHealth
from schemas.internal.processes import ProcessProblem


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def partition(*, fetched: int, end: int, waiting: int = 0, fetch_state: str = "active") -> dict[str, Any]:
    return {
        "fetch_state": fetch_state,
        "next_offset": fetched,
        "ls_offset": end,
        "hi_offset": end,
        "fetchq_cnt": waiting,
        "consumer_lag": 1,
    }


def statistics(*partitions: dict[str, Any], join_state: str = "steady") -> str:
    numbered = {str(number): state for number, state in enumerate(partitions)}
    unassigned = {"-1": partition(fetched=0, end=5, fetch_state="none")}
    return json.dumps({"cgrp": {"join_state": join_state}, "topics": {"t": {"partitions": numbered | unassigned}}})


def test_a_process_that_polls_and_has_caught_up_is_ready() -> None:
    health = ProcessHealth("router", clock=Clock())
    health.on_statistics(statistics(partition(fetched=8, end=8)))
    report = health.report()
    assert (report.alive, report.assigned, report.restored, report.partitions) == (True, True, True, 1)
    assert report.lag_seconds == 0
    assert report.ready


def test_control_records_at_the_end_of_a_log_are_no_lag() -> None:
    health = ProcessHealth("orchestrator", clock=Clock())
    at_the_end = partition(fetched=9, end=9)
    assert at_the_end["consumer_lag"] == 1
    health.processed("t", 0, 1)
    health.on_statistics(statistics(at_the_end))
    assert health.report().lag_seconds == 0


def test_lag_is_the_age_of_the_last_processed_record_while_there_is_more() -> None:
    clock = Clock()
    health = ProcessHealth("router", max_lag_s=60, clock=clock)
    health.on_statistics(statistics(partition(fetched=3, end=8), partition(fetched=8, end=8)))
    health.processed("t", 0, int((clock.now - 90) * 1000))
    health.processed("t", 1, int((clock.now - 500) * 1000))
    report = health.report()
    assert report.lag_seconds == 90
    assert not report.ready
    assert "90 s behind" in report.reasons[0]


def test_records_that_wait_in_the_client_are_lag() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    health.on_statistics(statistics(partition(fetched=8, end=8, waiting=4)))
    health.processed("t", 0, int((clock.now - 7) * 1000))
    assert health.report().lag_seconds == 7


def test_a_quiet_hour_is_no_lag_when_the_next_record_comes() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    health.processed("t", 0, int(clock.now * 1000))
    health.on_statistics(statistics(partition(fetched=8, end=8)))
    clock.now += 3_600
    health.on_statistics(statistics(partition(fetched=8, end=8)))
    clock.now += 1
    health.on_statistics(statistics(partition(fetched=8, end=9)))
    assert health.report().lag_seconds == 1


def test_nothing_processed_since_the_assignment_is_lag_from_then_on() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    health.on_statistics(statistics(partition(fetched=0, end=9)))
    clock.now += 5
    assert health.report().lag_seconds == 5


def test_a_record_from_the_future_is_no_negative_lag() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    health.on_statistics(statistics(partition(fetched=0, end=9)))
    health.processed("t", 0, int((clock.now + 1_000) * 1000))
    assert health.report().lag_seconds == 0


def test_defect_41_a_processing_loop_that_has_died_is_not_alive() -> None:
    clock = Clock()
    health = ProcessHealth("orchestrator", clock=clock)
    health.on_statistics(statistics(partition(fetched=8, end=8)))
    clock.now += 30
    report = health.report()
    assert not report.alive
    assert not report.ready
    assert "has not polled" in report.reasons[0]


def test_a_process_that_starts_is_alive_and_not_ready() -> None:
    report = ProcessHealth("router", clock=Clock()).report()
    assert report.alive
    assert not report.ready


def test_a_process_that_never_comes_to_poll_is_not_alive() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    clock.now += 61
    assert not health.report().alive


def test_a_group_that_is_joining_is_not_assigned() -> None:
    health = ProcessHealth("router", clock=Clock())
    health.on_statistics(statistics(join_state="wait-sync"))
    report = health.report()
    assert not report.assigned
    assert "rebalancing" in report.reasons[0]


def test_state_that_is_being_read_back_is_told() -> None:
    health = ProcessHealth("orchestrator", clock=Clock())
    health.watch_restored(lambda: False)
    health.on_statistics(statistics())
    report = health.report()
    assert (report.reasons, report.restored_percent) == (("Local state is being restored.",), None)


def changelog(*, read: int, end: int, first: int = 0) -> dict[str, Any]:
    """A changelog that a recovery reads; its application has been given the records before `read`."""
    return partition(fetched=end, end=end) | {"app_offset": read, "lo_offset": first}


def test_how_much_of_the_state_has_been_read_back_is_told_until_it_is_all() -> None:
    restored = False
    health = ProcessHealth("orchestrator", clock=Clock())
    health.watch_restored(lambda: restored)

    def told(*changelogs: dict[str, Any]) -> int | None:
        numbered = {str(number): state for number, state in enumerate(changelogs)}
        topics = {
            "changelog__inbox": {"partitions": numbered},
            "inbox": {"partitions": {"0": partition(fetched=0, end=9)}},
        }
        health.on_statistics(json.dumps({"cgrp": {"join_state": "steady"}, "topics": topics}))
        return health.report().restored_percent

    nothing_yet = -1_001
    assert told(changelog(read=nothing_yet, end=nothing_yet)) is None
    assert told(changelog(read=nothing_yet, end=400), changelog(read=nothing_yet, end=600)) == 0
    assert told(changelog(read=400, end=400), changelog(read=230, end=600)) == 63
    assert "63 % of its changelogs have been read" in health.report().reasons[0]
    assert told(changelog(read=150, end=200, first=100)) == 50
    assert told(changelog(read=200, end=200)) == 99, "it is not done"
    restored = True
    assert told(changelog(read=200, end=200)) is None


def held_back(offset: int, end: int, *, waiting: int = 0, fetched: int | None = None) -> str:
    state = partition(fetched=offset if fetched is None else fetched, end=offset, waiting=waiting) | {"hi_offset": end}
    return statistics(state)


def test_what_a_kind_of_process_adds_is_a_reason() -> None:
    health = ProcessHealth("timekeeper", clock=lambda: 1_000.0)
    problem = ProcessProblem("ORC-DEADLINE-GATE", "Deadlines have waited for 90 s.")
    health.watch_problems(lambda: [problem])
    report = health.report()
    assert problem in report.problems
    assert problem.message in report.reasons


def test_a_transaction_that_stays_open_is_told_with_its_place_and_goes_when_it_ends() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    health.on_statistics(held_back(17, 20))
    assert health.report().ready, "a transaction may be open for a while"
    clock.now += 11
    health.on_statistics(held_back(17, 25))
    report = health.report()
    assert [(one.topic, one.partition, one.offset, one.seconds) for one in report.open_transactions] == [
        ("t", 0, 17, 11.0)
    ]
    assert "t[0] has been open at offset 17 for 11 s" in report.reasons[0]
    assert report.problems[0].code == "ORC-OPEN-TRANSACTION"
    assert not report.ready
    health.on_statistics(statistics(partition(fetched=25, end=25)))
    assert health.report().ready


def test_transactions_that_follow_each_other_are_none_that_stays_open() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    for second in range(60):
        health.on_statistics(held_back(17 + second, 20 + second))
        clock.now += 1
    assert health.report().open_transactions == ()


def test_offsets_of_a_partition_that_is_not_fetched_now_tell_nothing() -> None:
    clock = Clock()
    health = ProcessHealth("router", clock=clock)
    for state in (held_back(17, 20, waiting=900), held_back(17, 20, fetched=12)):
        for _ in range(30):
            health.on_statistics(state)
            clock.now += 1
        assert health.report().open_transactions == ()


def test_positions_are_those_of_the_inputs() -> None:
    health = ProcessHealth("orchestrator", clock=Clock())
    numbered = {"0": partition(fetched=3, end=8)}
    topics = {"inbox": {"partitions": numbered}, "changelog__inbox": {"partitions": numbered}}
    health.on_statistics(json.dumps({"cgrp": {"join_state": "steady"}, "topics": topics}))
    assert [(at.topic, at.partition, at.position, at.end) for at in health.report().positions] == [("inbox", 0, 3, 8)]


def test_a_process_without_a_group_waits_for_no_assignment() -> None:
    health = ProcessHealth("api", grouped=False, clock=Clock())
    assert health.report().assigned
    health.on_statistics(statistics(partition(fetched=8, end=8), join_state="init"))
    assert health.report().ready
