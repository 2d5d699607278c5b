"""Which characters no id may hold; the pattern of the models and the function say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from schemas.text import NO_CONTROL_CHARACTERS, unusable_character


class Model(BaseModel):
    name: str = Field(pattern=NO_CONTROL_CHARACTERS)


@pytest.mark.parametrize(
    ("text", "found"), [("a\x00", "U+0000"), ("\n", "U+000A"), ("\x9f", "U+009F"), ("\ud800", "U+D800")]
)
def test_the_character_is_named(text: str, found: str) -> None:
    assert unusable_character(text) == found


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x200, exclude_categories=["Cs"])))
def test_models_refuse_the_same(text: str) -> None:
    try:
        Model(name=text)
    except ValidationError:
        assert unusable_character(text) is not None
    else:
        assert unusable_character(text) is None
