"""The graph of a batch's pipeline, where the stories of whole batches do not tell it."""

import pytest

from state.decision.graph import definition_of
from tests.unit.state.story import registered


def test_a_phase_that_the_pipeline_does_not_define_is_an_error_that_names_it() -> None:
    with pytest.raises(KeyError, match="ghost"):
        definition_of(registered().batch, "ghost")
