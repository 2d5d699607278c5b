"""The results of a run, and the file that holds them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.alone import AloneResult
from bench.core import CoreResult
from bench.deadlines import DeadlinesResult
from bench.latency import LatencyResult
from bench.million import MillionResult
from bench.projection import ProjectionResult
from bench.rebuilding import RebuildResult
from bench.registering import RegistrationResult
from bench.scaling import ScalingResult
from bench.soak import SoakResult
from bench.streams import StreamsResult
from bench.whole import WholeResult


@dataclass(slots=True)
class Results:
    """Results of the sections; None for one that was not run."""

    core: CoreResult | None = None
    sizes: dict[str, float] | None = None
    """Mean bytes of a decision's records by kind."""
    alone: AloneResult | None = None
    whole: WholeResult | None = None
    latency: dict[float, dict[str, LatencyResult]] | None = None
    """By decisions a second, and by pipeline."""
    registration: RegistrationResult | None = None
    registration_limit: RegistrationResult | None = None
    streams: StreamsResult | None = None
    scaling: ScalingResult | None = None
    million: MillionResult | None = None
    deadlines: DeadlinesResult | None = None
    projection: ProjectionResult | None = None
    rebuild: RebuildResult | None = None
    soak: SoakResult | None = None


def write(path: Path, results: Results, **facts: Mapping[str, Any] | list[str]) -> None:
    """Write everything that was found as JSON, with `facts` about the run before it."""
    document = {**facts, "results": msgspec.to_builtins(results, str_keys=True)}
    path.write_text(json.dumps(document, indent=1) + "\n")
