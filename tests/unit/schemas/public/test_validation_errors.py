"""What is said about data that fits no model."""

from typing import Literal

import pytest
from pydantic import BaseModel, ValidationError

from schemas.public.validation_errors import faults, sentence


class Command(BaseModel):
    kind: str
    essays: Literal["all"] | list[str] = "all"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"kind": 1}', "kind: Input should be a valid string"),
        (
            '{"kind": "retry", "essays": 1}',
            "essays: Input should be 'all'; essays: Input should be a valid array",
        ),
        ("[]", "Input should be an object"),
        ("", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
    ],
)
def test_a_fault_of_the_whole_names_no_place(data: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Command.model_validate_json(data)
    assert sentence(faults(refused.value)) == said
