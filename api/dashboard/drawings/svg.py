"""Building escaped SVG and HTML elements."""

from markupsafe import Markup, escape

Content = str | Markup
Value = str | int | float | None


def tag(name: str, *content: Content, **attributes: Value) -> Markup:
    """Return an element; text and values are escaped, and attributes that are None are left out.

    A trailing underscore of an attribute's name is dropped and the others become hyphens: `class_`, `stroke_width`.
    """
    given = "".join(
        f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None and value != ""
    )
    inner = "".join(str(escape(each)) for each in content)
    return Markup(f"<{name}{given}>{inner}</{name}>")  # noqa: S704 - every part of it is escaped above


def joined(*parts: Content) -> Markup:
    """Return the parts one after another, escaped where they are no markup."""
    return Markup("").join(parts)


def number(value: float) -> str:
    """Return a coordinate with at most one decimal."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def _name(key: str) -> str:
    return "viewBox" if key == "view_box" else key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return number(value) if isinstance(value, float) else str(escape(value))
