from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokportal_server.analytics.reports.accent import SHAPES, TEXT, contrast, shades_of

COLOURS = st.tuples(*[st.integers(0, 255)] * 3).map(lambda c: "#{:02x}{:02x}{:02x}".format(*c))


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@given(brand=COLOURS, paper=st.sampled_from(["#ffffff", "#171c27"]))
def test_every_brand_colour_can_be_read(brand: str, paper: str) -> None:
    shades = shades_of(brand, paper)
    assert contrast(rgb(shades.text), rgb(paper)) >= TEXT
    assert contrast(rgb(shades.shape), rgb(paper)) >= SHAPES
    assert contrast(rgb(shades.on_brand), rgb(shades.brand)) >= TEXT
    assert shades.brand == brand


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert shades_of("#1D4FD7").text == "#1d4fd7"


def test_black_on_white_has_the_ratio_of_the_standard() -> None:
    assert round(contrast((0, 0, 0), (255, 255, 255)), 2) == 21
