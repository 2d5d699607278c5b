import pytest
from confluent_kafka import KafkaError, KafkaException

from topology.stream.fencing import fence_of


class Held(Exception):
    """An error of the stream library, which keeps the client's as a member."""

    def __init__(self, error: KafkaError) -> None:
        self.error = error


@pytest.mark.parametrize("kind", [Held, KafkaException])
@pytest.mark.parametrize("code", [KafkaError.FENCED_INSTANCE_ID, KafkaError.INVALID_PRODUCER_EPOCH])
def test_a_fence_is_found_wherever_a_library_keeps_it(kind: type[Exception], code: int) -> None:
    wrapped = RuntimeError("the library's own")
    wrapped.__cause__ = kind(KafkaError(code))
    found = fence_of(wrapped)
    assert found is not None
    assert found.code() == code


def test_an_outage_is_no_fence() -> None:
    assert fence_of(Held(KafkaError(KafkaError.NOT_COORDINATOR))) is None
    assert fence_of(None) is None
