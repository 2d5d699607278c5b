"""The jars of the development broker: fetched once, checked always."""

import gc
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.broker.jars import REPOSITORY_VARIABLE, Jar, provide_jars, read_list
from schemas.errors import BrokerError


class Repository:
    """A Maven repository on loopback with two small jars, which counts what is asked of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.jars = tuple(self._publish(name, name.encode() * 1000) for name in ("first", "second"))

    def path(self, jar: Jar) -> Path:
        return self.root / "org" / "example" / jar.artifact / jar.version / jar.filename

    def downloads(self) -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.asked if path.endswith(".jar"))

    def _publish(self, artifact: str, content: bytes) -> Jar:
        jar = Jar(hashlib.sha256(content).hexdigest(), "org.example", artifact, "1.0")
        self.path(jar).parent.mkdir(parents=True)
        self.path(jar).write_bytes(content)
        return jar


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository(tmp_path / "repository")

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
            repository.asked.append(self.path)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the tests' output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(repository.root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        monkeypatch.setenv(REPOSITORY_VARIABLE, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield repository
        server.shutdown()
        thread.join()
    gc.collect()  # a connection that was left open shows here, not in whichever test comes later


def test_two_first_starts_at_once_fetch_each_jar_once(repository: Repository, tmp_path: Path) -> None:
    together = threading.Barrier(2)

    def start() -> Path:
        together.wait()
        return provide_jars(tmp_path / "cache", repository.jars)

    with ThreadPoolExecutor(2) as pool:
        folders = {future.result() for future in [pool.submit(start), pool.submit(start)]}

    assert len(folders) == 1
    assert repository.downloads() == ["first-1.0.jar", "second-1.0.jar"]


def test_a_second_start_asks_nobody(repository: Repository, tmp_path: Path) -> None:
    provide_jars(tmp_path / "cache", repository.jars)
    repository.asked.clear()
    folder = provide_jars(tmp_path / "cache", repository.jars)

    assert repository.asked == []
    assert sorted(path.name for path in folder.glob("*.jar")) == ["first-1.0.jar", "second-1.0.jar"]


def test_a_jar_that_is_served_changed_never_reaches_the_cache(repository: Repository, tmp_path: Path) -> None:
    changed = repository.jars[0]
    repository.path(changed).write_bytes(b"something else")
    with pytest.raises(BrokerError, match=r"expected [0-9a-f]{64}") as raised:
        provide_jars(tmp_path / "cache", repository.jars)

    assert raised.value.code == "ORC-BROKER-CHECKSUM"
    assert list((tmp_path / "cache").rglob("first-1.0.jar")) == []


def test_a_jar_that_was_changed_in_the_cache_is_refused(repository: Repository, tmp_path: Path) -> None:
    folder = provide_jars(tmp_path / "cache", repository.jars)
    (folder / "second-1.0.jar").write_bytes(b"something else")
    with pytest.raises(BrokerError, match=r"second-1\.0\.jar") as raised:
        provide_jars(tmp_path / "cache", repository.jars)

    assert raised.value.code == "ORC-BROKER-CHECKSUM"


def test_a_jar_that_cannot_be_fetched_is_named_with_a_next_step(repository: Repository, tmp_path: Path) -> None:
    repository.path(repository.jars[1]).unlink()
    with pytest.raises(BrokerError, match=r"second-1\.0\.jar") as raised:
        provide_jars(tmp_path / "cache", repository.jars)

    assert raised.value.code == "ORC-BROKER-DOWNLOAD"
    assert REPOSITORY_VARIABLE in raised.value.next_step


def test_the_committed_list_names_kafka_and_gives_every_jar_a_whole_hash() -> None:
    jars = read_list()

    assert "kafka_2.13-4.3.1.jar" in {jar.filename for jar in jars}
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in jars)
    assert len({jar.filename for jar in jars}) == len(jars)
