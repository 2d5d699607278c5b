"""What if nothing were different: a batch's events under the definition that it runs."""

from hypothesis import given, settings
from msgspec.structs import replace

from state.what_if import what_if
from tests.property.control_world import Happening, Plan, begin, happenings, plans, starts
from tests.unit.state.test_replay import recorded


@settings(max_examples=80)
@given(plan=plans(), started=starts, happened=happenings())
def test_under_its_own_definition_nothing_differs(
    plan: Plan,
    started: bool,  # noqa: FBT001
    happened: list[Happening],
) -> None:
    phases = tuple(
        each if each.name in plan.requested else replace(each, when="enable_cj_assessment")
        for each in plan.definition.phases
    )
    plan = plan._replace(definition=replace(plan.definition, phases=phases))
    story = begin(plan, started=started)
    for happening in happened:
        happening.happen(story)
    lives = [*story.lives, len(story.told)]
    found = what_if(recorded(story.told[lives[0] : lives[1]]), plan.definition)
    assert found.decisions == ()
    assert (found.new_commands, found.dropped_commands) == ((), ())
    assert found.status_recorded == found.status_instead
    assert found.sentence.endswith("decided the same.")
