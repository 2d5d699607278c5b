"""Apache Kafka's jars: downloaded once, kept in the user's cache, and checked by SHA-256 at every start."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.maven import MavenContext

from cli.broker.download_progress import Progress
from schemas.errors import BrokerError, Code

KAFKA_VERSION = "4.3.1"
CACHE_VARIABLE = "BATCH_ORCHESTRATOR_SERVICE_CACHE_DIR"
REPOSITORY_VARIABLE = "BATCH_ORCHESTRATOR_SERVICE_MAVEN_REPOSITORY"
"""Variable with the address of a Maven repository to use instead of the public one."""
_LIST = Path(__file__).parent / "jars.sha256"
_ATTEMPTS = 3
_TIMEOUT_SECONDS = 30
_PARALLEL = 6


@dataclass(frozen=True)
class Jar:
    """One jar of the committed list: its SHA-256 (hex) and its Maven coordinates."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def filename(self) -> str:
        """Name of the file in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    def check(self, path: Path) -> None:
        """Raise BrokerError (ORC-BROKER-CHECKSUM) unless the file at `path` is exactly this jar."""
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise BrokerError(
                f"{path} is not the {self.filename} that this version was tested with: "
                f"SHA-256 is {found}, expected {self.sha256}.",
                next_step="Delete that file and start again; if it happens again, do not trust the repository.",
                code=Code.BROKER_CHECKSUM,
            )


def read_list(path: Path = _LIST) -> tuple[Jar, ...]:
    """Return the jars of the broker from the committed list."""
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return tuple(Jar(sha256, *coordinates.split(":")) for sha256, coordinates in lines)


def cache_directory() -> Path:
    """Return the folder of downloads: the value of CACHE_VARIABLE, or a folder in the user's cache."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "batch-orchestrator"


def provide_jars(cache: Path | None = None, jars: Sequence[Jar] | None = None) -> Path:
    """Return the folder of `jars` after checking each of them; missing ones are downloaded, with progress on stderr.

    Several processes can call it at once: one downloads, the others wait.

    Raises:
        BrokerError: a jar cannot be downloaded (ORC-BROKER-DOWNLOAD) or differs (ORC-BROKER-CHECKSUM).
    """
    jars = read_list() if jars is None else jars
    folder = (cache or cache_directory()) / f"kafka-{KAFKA_VERSION}"
    if _missing(folder, jars):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / ".lock"):
                _fetch_all(folder, _missing(folder, jars))
        except OSError as error:
            raise BrokerError(
                f"Apache Kafka cannot be kept in {folder}: {error}.",
                next_step=f"Make room there, or set {CACHE_VARIABLE} to a folder that can be written.",
                code=Code.BROKER_DOWNLOAD,
            ) from error
    for jar in jars:
        jar.check(folder / jar.filename)
    return folder


def _missing(folder: Path, jars: Sequence[Jar]) -> list[Jar]:
    return [jar for jar in jars if not (folder / jar.filename).exists()]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the system releases it even if this process is killed."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_all(folder: Path, jars: Sequence[Jar]) -> None:
    if not jars:
        return
    with (
        Progress(f"Apache Kafka {KAFKA_VERSION}, first start only", total=len(jars)) as progress,
        tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as staging,
        ThreadPoolExecutor(_PARALLEL) as pool,
    ):
        for size in pool.map(lambda jar: _fetch(jar, folder, Path(staging)), jars):
            progress.advance(size)


def _fetch(jar: Jar, folder: Path, staging: Path) -> int:
    """Download one jar, check it, and move it to its place; return its size in bytes."""
    failure: BrokerError | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        # A new place for each attempt: the resolver takes an existing file, even an incomplete one, for the jar.
        place = staging / f"{jar.filename}.{attempt}"
        context = MavenContext(repo_cache=place, remote_repos=_repositories(), timeout=_TIMEOUT_SECONDS)
        try:
            path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            jar.check(path)
        except (requests.RequestException, RuntimeError, BrokerError) as error:
            failure = _failure(jar, error)
            continue
        size = path.stat().st_size
        path.replace(folder / jar.filename)
        return size
    assert failure is not None
    raise failure  # not from the resolver's error: that one holds the connection of the answer it did not read


def _repositories() -> dict[str, str] | None:
    given = os.environ.get(REPOSITORY_VARIABLE)
    return {"given": given.rstrip("/")} if given else None


def _failure(jar: Jar, error: Exception) -> BrokerError:
    if isinstance(error, BrokerError):
        return error
    return BrokerError(
        f"{jar.filename} of Apache Kafka {KAFKA_VERSION} cannot be fetched: {error}.",
        next_step=f"Check the network (HTTPS_PROXY is respected, {REPOSITORY_VARIABLE} names a mirror) and try again; "
        "downloaded files are kept. Or use another Kafka: "
        "set BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS.",
        code=Code.BROKER_DOWNLOAD,
    )
