from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.errors import StateError
from topology.orchestrator.app import StateIdentity
from topology.state_directory import IDENTITY_FILE, StateDirectory

IDENTITY = StateIdentity(cluster_id="cluster", inbox_topic_id="inbox", group="group")


def refused(path: Path, identity: StateIdentity = IDENTITY) -> str:
    with pytest.raises(StateError) as error, StateDirectory(path, identity):
        pass
    return error.value.code


def test_it_is_made_and_can_be_entered_again(tmp_path: Path) -> None:
    for _ in range(2):
        with StateDirectory(tmp_path / "new" / "state", IDENTITY) as directory:
            assert (directory.path / IDENTITY_FILE).exists()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with StateDirectory(tmp_path, IDENTITY):
        assert refused(tmp_path) == "ORC-STATE-LOCKED"


# What was done is remembered in the state of one group, on one cluster and inbox.
@pytest.mark.defect(19)
@pytest.mark.parametrize("field", ["cluster_id", "inbox_topic_id", "group"])
def test_the_state_of_another_is_refused(tmp_path: Path, field: str) -> None:
    with StateDirectory(tmp_path, IDENTITY):
        pass
    assert refused(tmp_path, replace(IDENTITY, **{field: "another"})) == "ORC-STATE-FOREIGN"


def test_a_damaged_identity_is_taken_for_foreign(tmp_path: Path) -> None:
    (tmp_path / IDENTITY_FILE).write_bytes(b"{")
    assert refused(tmp_path) == "ORC-STATE-FOREIGN"


def test_a_refused_directory_is_not_kept_locked(tmp_path: Path) -> None:
    with StateDirectory(tmp_path, IDENTITY):
        pass
    assert refused(tmp_path, replace(IDENTITY, group="another")) == "ORC-STATE-FOREIGN"
    with StateDirectory(tmp_path, IDENTITY):
        pass


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert refused(tmp_path / "file" / "state") == "ORC-STATE-DIRECTORY"
    assert refused(tmp_path / "file") == "ORC-STATE-DIRECTORY"
