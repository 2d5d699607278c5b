"""Records the corpus again: `python -m tests.corpus.record [NAME…]`.

Only after a change of the internal formats, or of a rule: the difference of the files is then the effect of the change
on batches as they are, and belongs into its review.
"""

import sys
from pathlib import Path

import msgspec

from tests.corpus.scenarios import SCENARIOS, name_of, recorded

HERE = Path(__file__).parent


def main(names: list[str]) -> None:
    """Write the files of these scenarios, or of all."""
    for scenario in SCENARIOS:
        if names and name_of(scenario) not in names:
            continue
        stage = recorded(scenario)
        lines = [msgspec.json.encode(each) for each in stage.recorded]
        (HERE / f"{name_of(scenario)}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        sys.stdout.write(f"{name_of(scenario)}: {', '.join(stage.dispositions())}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
