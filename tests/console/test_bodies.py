from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.console.bodies import body_of
from tokportal_server.videos.requests import PatchVideoRequest
from tokportal_server.videos.wire import ConfigureVideoRequest


def read(kind: type[msgspec.Struct], form: dict[str, str], *, clears: bool = False) -> Any:
    """Give the body that a form becomes."""
    return json.loads(body_of(kind, form, clears=clears))


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ({"volume_added_sound": " 30 "}, {"volume_added_sound": 30}),
        ({"volume_added_sound": "loud"}, {"volume_added_sound": "loud"}),
        ({"volume_added_sound": ""}, {}),
        ({"disclose_as_ads": "true"}, {"disclose_as_ads": True}),
        ({"disclose_as_ads": "false"}, {"disclose_as_ads": False}),
        ({"disclose_as_ads": ""}, {}),
        ({"carousel_images": "a\n\n b \n"}, {"carousel_images": ["a", "b"]}),
        ({"carousel_images": "\n"}, {}),
        ({"name": "12"}, {"name": "12"}),
        ({"video_type": "story"}, {"video_type": "story"}),
        ({"form_token": "x", "seen": "y"}, {}),
    ],
)
def test_a_text_becomes_what_its_field_holds(form: dict[str, str], body: dict[str, Any]) -> None:
    assert read(ConfigureVideoRequest, form) == body


def test_what_is_emptied_is_null_where_the_body_takes_null() -> None:
    form = {"name": "", "description": " ", "target_publish_date": ""}
    assert read(PatchVideoRequest, form, clears=True) == {"name": None, "description": None}
    assert read(PatchVideoRequest, {"name": "x"}, clears=True) == {"name": "x"}
    assert read(PatchVideoRequest, form) == {}


def test_a_number_that_is_too_long_goes_on_as_the_text_that_it_is() -> None:
    assert read(CreateBundleRequest, {"videos_quantity": "9" * 30}) == {"videos_quantity": "9" * 30}
