"""Turns errors of Kafka clients into the product's errors, with a message and a next step for the user."""

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import BrokerError, OrchestratorError, TopicError

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


def outage(error: BaseException, *, address: str) -> OrchestratorError | None:
    """Return the error to report where the cluster's absence ended a process; None where `error` has another cause.

    The stream library raises the client's own errors, and what it raises wraps them.
    """
    cause: BaseException | None = error
    for _ in range(_CHAIN):
        if isinstance(cause, KafkaException) and cause.args and isinstance(cause.args[0], KafkaError):
            reason = cause.args[0]
            if reason.retriable() or reason.code() in _OUT_OF_REACH or reason.code() in LEADER_MOVES:
                return kafka_failure(cause, address=address, asked="what the process needs to go on")
            return None
        if cause is None:
            return None
        cause = cause.__cause__ or cause.__context__
    return None


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
