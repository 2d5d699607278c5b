"""The verdict: whether each batch ended as scripted."""

from collections.abc import Mapping
from typing import Any

from cli.demo.client import FollowedBatch
from peers.report import PeerReport
from peers.verdict import ExpectedBatch


def differences(batches: list[FollowedBatch], report: PeerReport) -> list[str]:
    """Return a sentence for every difference between a batch and what the peers answered and the script requires."""
    found: list[str] = []
    for batch in batches:
        expected = report.expected.get(batch.batch_id)
        if expected is None:
            found.append(f"{batch.batch_id}: the peers have no record of it")
            continue
        found += [f"{batch.batch_id}: {difference}" for difference in _differences(batch, expected)]
    found += [
        f"the peers complain: {c.rule}: {c.text} ({c.topic}[{c.partition}]@{c.offset})" for c in report.complaints
    ]
    return found


def _differences(batch: FollowedBatch, expected: ExpectedBatch) -> list[str]:
    status: Mapping[str, Any] = batch.status
    found = []
    if status.get("status") != expected.final_status:
        found.append(f"ended as {status.get('status')}, expected {expected.final_status}")
    if not expected.completed:
        found.append("no completed event")
    requested = tuple(status["pipeline_state"]["requested_pipelines"])
    if requested != batch.plan.phases:
        found.append(f"phases {requested}, asked for {batch.plan.phases}")
    counts = status["counts"]
    if counts["succeeded"] != expected.successful_essay_count:
        found.append(f"{counts['succeeded']} essays came through, expected {expected.successful_essay_count}")
    lost = {(essay["essay_id"], essay["phase"]) for essay in status["failed_essays"]}
    reported = {
        (essay_id, phase)
        for phase, result in expected.phases.items()
        for essay_id in (*result.failed_essay_ids, *result.unaccounted_essay_ids)
    }
    if lost != reported:
        found.append(f"failed essays differ: {len(lost - reported)} invented, {len(reported - lost)} forgotten")
    return found
