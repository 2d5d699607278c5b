"""Turns errors of Kafka clients into the product's errors, with a message and a next step for the user."""

from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import BrokerError, Code, OrchestratorError, TopicError

_NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}

_CHAIN = 10
"""Exceptions that are looked through for their cause."""

LEADER_MOVES = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
}
"""Errors of a broker while a partition is created or gets another leader; a retry succeeds soon."""


_OUT_OF_REACH = {
    KafkaError._TRANSPORT,  # noqa: SLF001 - the library's public names for local errors
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
    KafkaError._DESTROY_BROKER,  # noqa: SLF001
    KafkaError._WAIT_COORD,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
}


COORDINATOR_MOVES = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
"""Errors of a broker while a group gets another coordinator, or the one it has starts; a retry succeeds soon."""
GROUP_MOVES = COORDINATOR_MOVES | {
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
}
"""Errors of a commit while its group rebalances or gets another coordinator."""
_TOPIC_GONE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the library's public names for local errors
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}


def outage(error: BaseException, *, address: str) -> OrchestratorError | None:
    """Return the error to report where the cluster, or a topic of it, was gone under a process; None for other causes.

    The stream library raises the client's own errors, wraps them, or holds what went wrong in `error`.
    """
    reason = next(reasons_of(error), None)
    if reason is None:
        return None
    if reason.code() in _TOPIC_GONE:
        return TopicError(
            f"A topic that the process uses is gone: {reason.str()}.",
            code=Code.TOPIC_MISSING,
            next_step="Run `bos topics plan` to see which is missing, and `bos topics apply` to create own topics. The "
            "next start names the records that are lost.",
        )
    if reason.retriable() or reason.code() in _OUT_OF_REACH | LEADER_MOVES | GROUP_MOVES:
        return kafka_failure(KafkaException(reason), address=address, asked="what the process needs to go on")
    return None


def reasons_of(error: BaseException | None) -> Iterator[KafkaError]:
    """Yield the client's errors in the chain of causes of `error`, the newest first."""
    for _ in range(_CHAIN):
        if error is None:
            return
        held = error.args[0] if isinstance(error, KafkaException) and error.args else getattr(error, "error", None)
        if isinstance(held, KafkaError):
            yield held
        error = error.__cause__ or error.__context__


def kafka_failure(error: KafkaException, *, address: str, asked: str, topic: str = "") -> OrchestratorError:
    """Return the error for a failed request to a cluster.

    `address` holds its bootstrap servers, `asked` names the requested fact ("the end of topic a"), and `topic` the one
    topic that the request was about. If the cluster answers and refuses that topic, the error is a `TopicError`.
    """
    reason: KafkaError = error.args[0]
    if reason.code() in _NOT_ALLOWED:
        kind = TopicError if topic else BrokerError
        return kind(
            f"The Kafka cluster at {address} does not allow this client {asked}: {reason.str()}.",
            next_step="Give the client's principal the rights Describe and DescribeConfigs on topics and on the "
            "cluster, and Read on its consumer group.",
        )
    if topic and reason.code() > 0 and reason.code() not in LEADER_MOVES:
        return TopicError(
            f"The Kafka cluster cannot give {asked}: {reason.str()}.",
            next_step="Run `bos topics plan` to see what is missing, and `bos topics apply` to create it.",
        )
    return BrokerError(
        f"The Kafka cluster at {address} does not answer, asked for {asked}: {reason.str()}.",
        next_step="Check BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS, the security settings, and that the "
        "brokers run.",
    )
