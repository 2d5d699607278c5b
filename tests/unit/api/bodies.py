"""Registration bodies for the tests."""

from typing import Any


def seed_body(**changes: Any) -> dict[str, Any]:
    return {
        "expected_essay_count": 3,
        "course_code": "SV1",
        "class_designation": "Class 9A",
        "teacher_name": "Ms Berg",
        "essay_instructions": "Argue for or against school uniforms.",
        **changes,
    }


def head_body(**changes: Any) -> dict[str, Any]:
    return {"expected_essay_count": 3, "course_code": "ENG5", "user_id": "teacher-001", **changes}
