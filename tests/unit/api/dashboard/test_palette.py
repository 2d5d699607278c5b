"""The colours of tokens.css: legible on every ground, and told apart with every kind of colour vision."""

import re
from itertools import combinations
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[4] / "api" / "dashboard" / "static" / "tokens.css").read_text()
TONES = ("running", "done", "partial", "failed", "stalled", "paused", "idle")
SCHEMES = ("light", "dark")
LEAST_TEXT_CONTRAST = 4.5
LEAST_EDGE_CONTRAST = 3.0
LEAST_DISTANCE = {"light": 14.9, "dark": 12.1}

Colour = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISIONS: dict[str, tuple[Colour, Colour, Colour]] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def colour(name: str, scheme: str) -> Colour:
    """Return a token's colour as linear RGB."""
    found = re.search(rf"--{name}: light-dark\(#([0-9A-F]{{6}}), #([0-9A-F]{{6}})\);", CSS)
    assert found is not None, f"tokens.css has no colour {name}"
    text = found[1 + SCHEMES.index(scheme)]
    red, green, blue = (_linear(int(text[place : place + 2], 16) / 255) for place in (0, 2, 4))
    return red, green, blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of WCAG 2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(linear: Colour) -> float:
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def seen(linear: Colour, vision: str) -> Colour:
    """Return a colour as somebody with this vision sees it."""
    red, green, blue = (
        min(1.0, max(0.0, sum(factor * part for factor, part in zip(row, linear, strict=True))))
        for row in VISIONS[vision]
    )
    return red, green, blue


def lab(linear: Colour) -> Colour:
    """Return a colour in CIE L*a*b* for D65."""
    red, green, blue = linear
    x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883

    def root(part: float) -> float:
        return part ** (1 / 3) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116

    return 116 * root(y) - 16, 500 * (root(x) - root(y)), 200 * (root(y) - root(z))


def distance(one: Colour, other: Colour) -> float:
    """Return the difference of two colours in L*a*b* by CIEDE2000."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (hypot(a1, b1) + hypot(a2, b2)) / 2
    scale = 1 + 0.5 * (1 - sqrt(mean_c**7 / (mean_c**7 + 25**7)))
    a1, a2 = a1 * scale, a2 * scale
    c1, c2 = hypot(a1, b1), hypot(a2, b2)
    h1, h2 = degrees(atan2(b1, a1)) % 360, degrees(atan2(b2, a2)) % 360
    turn = 0.0 if not c1 * c2 else (h2 - h1 + 180) % 360 - 180
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = h1 + h2 if not c1 * c2 else (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * cos(radians(mean_h - 30))
        + 0.24 * cos(radians(2 * mean_h))
        + 0.32 * cos(radians(3 * mean_h + 6))
        - 0.20 * cos(radians(4 * mean_h - 63))
    )
    lightness = (l2 - l1) / (1 + 0.015 * (mean_l - 50) ** 2 / sqrt(20 + (mean_l - 50) ** 2))
    chroma = (c2 - c1) / (1 + 0.045 * mean_c)
    hue = 2 * sqrt(c1 * c2) * sin(radians(turn / 2)) / (1 + 0.015 * mean_c * t)
    rotation = -2 * sqrt(mean_c**7 / (mean_c**7 + 25**7)) * sin(radians(60 * exp(-(((mean_h - 275) / 25) ** 2))))
    return sqrt(lightness**2 + chroma**2 + hue**2 + rotation * chroma * hue)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_agrees_with_the_published_test_data(one: Colour, other: Colour, expected: float) -> None:
    assert distance(one, other) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tones_are_told_apart_with_every_kind_of_colour_vision(scheme: str) -> None:
    found = {
        (vision, one, other): distance(*(lab(seen(colour(name, scheme), vision)) for name in (one, other)))
        for vision in VISIONS
        for one, other in combinations(TONES, 2)
    }
    closest = min(found, key=lambda pair: found[pair])
    assert found[closest] >= LEAST_DISTANCE[scheme], closest


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tone", TONES)
def test_a_tone_is_legible_on_surface_page_and_its_tint(tone: str, scheme: str) -> None:
    for ground in ("surface", "page", f"{tone}-tint"):
        assert contrast(colour(tone, scheme), colour(ground, scheme)) >= LEAST_TEXT_CONTRAST, ground


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tone", TONES)
def test_a_label_is_legible_on_a_bar_of_a_tone(tone: str, scheme: str) -> None:
    assert contrast(colour("on-fill", scheme), colour(tone, scheme)) >= LEAST_TEXT_CONTRAST


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["surface", "page", "raised"])
def test_text_is_legible_and_controls_have_edges(ground: str, scheme: str) -> None:
    on = colour(ground, scheme)
    assert contrast(colour("text", scheme), on) >= 7
    assert contrast(colour("muted", scheme), on) >= LEAST_TEXT_CONTRAST
    assert contrast(colour("edge", scheme), on) >= LEAST_EDGE_CONTRAST
