"""The one table of topic names, and what each topic must look like."""

from enum import StrEnum
from typing import Literal, NewType

from msgspec import Struct

from schemas.limits import Limits

DAY_MS = 86_400_000
RETENTION_MS = 30 * DAY_MS
"""Inbox, history and dead letters are kept equally long: what can be seen can be explained."""
SEGMENT_MS = DAY_MS
PROCESSES_SEGMENT_MS = 600_000
"""Of the process reports: only closed segments are compacted, and an api reads the whole topic when it starts."""
PROCESSES_PARTITIONS = 1
"""Of the process reports: few small records, whose one order and one clock (the leader's) readers rely on."""
PROCESSES_MAX_BYTES = 1_048_576
OPERATIONS_MAX_BYTES = 1_048_576
DEFAULT_PREFIX = "huleedu"


class Topic(StrEnum):
    """Every topic, by its name under the default prefix. `TopicTable` gives the real names."""

    REQUESTS = "huleedu.batch.requests.v1"
    ESSAYS_READY = "huleedu.els.batch.essays.ready.v1"
    CONTENT_PROVISIONED = "huleedu.batch.content.provisioning.completed.v1"
    VALIDATION_ERRORS = "huleedu.els.batch.validation.errors.v1"
    OUTCOME = "huleedu.els.batch.phase.outcome.v1"
    OUTCOME_SEED = "huleedu.els.batch_phase.outcome.v1"
    WORKER_OUTCOME = "huleedu.batch.worker.outcome.v1"
    REPLAY = "huleedu.batch.orchestrator.replay.v1"
    STARTS = "huleedu.batch.orchestrator.starts.v1"
    INBOX = "huleedu.batch.orchestrator.inbox.v1"
    REGISTERED = "huleedu.batch.essays.registered.v1"
    SPELLCHECK_COMMAND = "huleedu.els.spellcheck.initiate.command.v1"
    CJ_ASSESSMENT_COMMAND = "huleedu.batch.cj_assessment.initiate.command.v1"
    NLP_COMMAND = "huleedu.batch.nlp.initiate.command.v2"
    AI_FEEDBACK_COMMAND = "huleedu.batch.ai_feedback.initiate.command.v1"
    STUDENT_MATCHING_COMMAND = "huleedu.batch.student.matching.initiate.command.v1"
    COMPLETED = "huleedu.batch.pipeline.completed.v1"
    STATUS = "huleedu.batch.status.v1"
    HISTORY = "huleedu.batch.history.v1"
    DEAD_LETTERS = "huleedu.batch.dead_letter.v1"
    PROCESSES = "huleedu.batch.orchestrator.processes.v1"
    OPERATIONS = "huleedu.batch.orchestrator.operations.v1"


CommandTopic = NewType("CommandTopic", str)
"""Real name of a topic that carries the generic command of a phase, from a pipeline definition."""
AnyTopic = Topic | CommandTopic

PHASE_COMMANDS: dict[str, Topic] = {
    "spellcheck": Topic.SPELLCHECK_COMMAND,
    "cj_assessment": Topic.CJ_ASSESSMENT_COMMAND,
    "nlp": Topic.NLP_COMMAND,
    "ai_feedback": Topic.AI_FEEDBACK_COMMAND,
}
"""The phases that peers know, and the topic of each one's command."""

PEER_INPUTS = (
    Topic.ESSAYS_READY,
    Topic.CONTENT_PROVISIONED,
    Topic.VALIDATION_ERRORS,
    Topic.OUTCOME,
    Topic.OUTCOME_SEED,
)
ROUTER_INPUTS = (Topic.REQUESTS, *PEER_INPUTS, Topic.WORKER_OUTCOME, Topic.REPLAY)
PEER_OUTPUTS = (Topic.REGISTERED, *PHASE_COMMANDS.values(), Topic.STUDENT_MATCHING_COMMAND, Topic.COMPLETED)


class TopicSpec(Struct, frozen=True, kw_only=True):
    """What a topic must look like."""

    name: str
    owner: Literal["own", "peer"]
    """`own`: created and checked strictly. `peer`: taken as it is, with warnings."""
    partitions: int
    cleanup: Literal["delete", "compact"]
    max_message_bytes: int
    retention_ms: int = RETENTION_MS
    segment_ms: int = SEGMENT_MS
    append_time: bool = False
    """Whether the broker stamps the records (LogAppendTime)."""
    more_partitions: bool = False
    """Whether an own topic may have more partitions than `partitions`: its readers alone depend on the number."""

    def config(self) -> dict[str, str]:
        """Topic settings as Kafka spells them."""
        config = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.cleanup == "delete":
            config["retention.ms"] = str(self.retention_ms)
        else:
            config["delete.retention.ms"] = str(self.retention_ms)
        if self.owner == "own":
            config["segment.ms"] = str(self.segment_ms)
        if self.append_time:
            config["message.timestamp.type"] = "LogAppendTime"
        return config

    def durability(self) -> dict[str, str]:
        """Further settings of an own topic, by Kafka's names, without which it can lose what it has acknowledged."""
        if self.owner == "peer":
            return {}
        # A leader that lacks acknowledged records would take them away from everybody.
        settings = {"unclean.leader.election.enable": "false"}
        if self.cleanup == "delete":
            settings["retention.bytes"] = "-1"  # time alone removes records: under load a size would remove unread ones
        return settings


class TopicTable(Struct, frozen=True, kw_only=True):
    """Real topic names and their specifications under one prefix."""

    prefix: str = DEFAULT_PREFIX
    partitions: int = 4
    """Partitions of each own topic keyed by batch. Fixed for the life of the state: with another count, a batch's
    events would go to a partition that does not hold its state."""
    peer_partitions: int = 3
    """Partitions of peers' topics, where the product creates them on a development cluster."""
    orchestrator_group: str = "batch-orchestrator"
    limits: Limits = Limits()
    commands: tuple[CommandTopic, ...] = ()
    """Topics of generic commands, from the file of pipeline definitions where a process reads it."""
    retention_ms: int = RETENTION_MS
    """How long own topics keep records, and compacted ones their tombstones."""

    def name(self, topic: AnyTopic) -> str:
        """Return the real name of `topic` under this prefix; a command topic is one already."""
        if not isinstance(topic, Topic):
            return topic
        return topic.value if self.prefix == DEFAULT_PREFIX else self.prefix + topic.value[len(DEFAULT_PREFIX) :]

    def topic(self, name: str) -> Topic:
        """Return which topic a real name stands for. Raises `ValueError` for a foreign name."""
        if self.prefix != DEFAULT_PREFIX and name.startswith(self.prefix + "."):
            return Topic(DEFAULT_PREFIX + name[len(self.prefix) :])
        return Topic(name)

    def phase_command(self, phase: str, command_topic: str = "") -> CommandTopic:
        """Return the topic of a phase's generic command: `command_topic`, or the one that belongs to its name."""
        return CommandTopic(command_topic or f"{self.prefix}.batch.phase.{phase}.command.v1")

    @property
    def outputs(self) -> tuple[AnyTopic, ...]:
        """Topics on which peers and workers read what the orchestrator publishes."""
        return (*PEER_OUTPUTS, *self.commands)

    @property
    def registrations_kept_ms(self) -> int:
        """How long a registration can be read again from an own topic, at most.

        A record goes with its segment, and with the broker's next check after that; the stub of a batch must outlive
        it, so there is a margin of a day. With a retention below a day, which only tests have, the margin is shorter.
        """
        return self.retention_ms + self._segment_ms + min(DAY_MS, self.retention_ms)

    @property
    def _segment_ms(self) -> int:
        return min(SEGMENT_MS, self.retention_ms)

    @property
    def changelog(self) -> str:
        """Name that the stream library gives the changelog of the orchestrator's store."""
        return f"changelog__{self.orchestrator_group}--{self.name(Topic.INBOX)}--default"

    def specs(self) -> list[TopicSpec]:
        """Return what every topic must look like, the changelog included."""
        limits = self.limits
        own = [
            self._own(Topic.REQUESTS, "delete", limits.input_bytes),
            self._own(Topic.WORKER_OUTCOME, "delete", limits.input_bytes),
            self._own(Topic.REPLAY, "delete", limits.dead_letter_bytes),
            self._own(Topic.STARTS, "compact", limits.input_bytes),
            self._own(Topic.INBOX, "delete", limits.inbox_bytes),
            self._own(Topic.STATUS, "compact", limits.state_bytes),
            self._own(Topic.HISTORY, "delete", limits.state_bytes),
            self._own(Topic.DEAD_LETTERS, "delete", limits.dead_letter_bytes),
            self._own(Topic.OPERATIONS, "compact", OPERATIONS_MAX_BYTES),
            TopicSpec(
                name=self.name(Topic.PROCESSES),
                owner="own",
                partitions=PROCESSES_PARTITIONS,
                cleanup="compact",
                max_message_bytes=PROCESSES_MAX_BYTES,
                segment_ms=PROCESSES_SEGMENT_MS,
                append_time=True,
            ),
            TopicSpec(
                name=self.changelog,
                owner="own",
                partitions=self.partitions,
                cleanup="compact",
                max_message_bytes=limits.state_bytes,
                retention_ms=self.retention_ms,
                segment_ms=self._segment_ms,
            ),
        ]
        own += [self._command(name) for name in self.commands]
        return own + [self._peer(topic) for topic in (*PEER_INPUTS, *PEER_OUTPUTS)]

    def _command(self, name: CommandTopic) -> TopicSpec:
        return TopicSpec(
            name=name,
            owner="own",
            partitions=self.partitions,
            cleanup="delete",
            max_message_bytes=self.limits.state_bytes,
            append_time=True,
            more_partitions=True,
        )

    def _own(self, topic: Topic, cleanup: Literal["delete", "compact"], max_bytes: int) -> TopicSpec:
        return TopicSpec(
            name=self.name(topic),
            owner="own",
            partitions=self.partitions,
            cleanup=cleanup,
            max_message_bytes=max_bytes,
            retention_ms=self.retention_ms,
            segment_ms=self._segment_ms,
            append_time=True,
        )

    def _peer(self, topic: Topic) -> TopicSpec:
        return TopicSpec(
            name=self.name(topic),
            owner="peer",
            partitions=self.peer_partitions,
            cleanup="delete",
            max_message_bytes=self.limits.input_bytes,
        )
