from uuid import UUID, uuid5

from schemas.ids import NAMESPACE, derived_id, slot_id, slot_ids

BATCH = "5bd3a9b2-6a0e-5d52-9a3c-2b8f4b3f7c10"


def test_a_derived_id_is_the_uuid5_of_its_name() -> None:
    for number in range(64):
        found = derived_id(f"name {number}")
        assert found == str(uuid5(NAMESPACE, f"name {number}"))
        assert UUID(found).version == 5


def test_all_slots_together_have_the_ids_of_each_alone() -> None:
    assert slot_ids(BATCH, 1_040, 12) == tuple(slot_id(BATCH, 1_040, index) for index in range(12))
    assert slot_ids(BATCH, 1_040, 0) == ()
