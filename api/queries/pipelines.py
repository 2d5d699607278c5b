"""The pipeline definitions that this api reads, as the router reads them."""

from collections.abc import Callable

from api.errors import Problem, not_ready
from api.queries.filters import nearest
from runtime.logs import get_logger
from schemas.errors import Code, OrchestratorError
from schemas.internal.pipeline import PipelineDefinition, Pipelines

_logger = get_logger("api.queries.pipelines")


class PipelineCatalogue:
    """The definitions of the pipelines file, read once: the router does not read it again either.

    A batch runs the definition that was stamped into it when it was registered, which can be an older version.
    """

    def __init__(self, load: Callable[[], Pipelines]) -> None:
        self._load = load
        self._held: Pipelines | None = None

    def all(self) -> Pipelines:
        """Return all definitions. Raises `Problem` 503 where the file cannot be used."""
        if self._held is None:
            try:
                self._held = self._load()
            except OrchestratorError as error:
                _logger.warning("pipelines_not_read", code=error.code, reason=error.message)
                raise not_ready(
                    "The pipelines file cannot be used by this api.",
                    next_step="Give the api the PIPELINES_FILE of the router; `bos pipelines check FILE` finds faults.",
                    retry_after_s=30,
                ) from error
        return self._held

    def get(self, name: str) -> PipelineDefinition:
        """Return one definition. Raises `Problem` 404 with the nearest name."""
        known = self.all().by_name
        if name not in known:
            raise Problem(
                404,
                Code.PIPELINE_NOT_FOUND,
                "There is no pipeline definition of this name.",
                next_step=nearest(name, known),
                error="Pipeline not found",
            )
        return known[name]

    def of(self, name: str, version: int) -> PipelineDefinition | None:
        """Return the definition that a batch runs; None where the file has another version, or cannot be used."""
        try:
            found = self.all().by_name.get(name)
        except Problem:
            return None
        return found if found is not None and found.version == version else None
