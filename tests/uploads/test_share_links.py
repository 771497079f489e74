from __future__ import annotations

import pytest

from tokportal_server.uploads.share_links import direct_download

DRIVE = "https://drive.usercontent.google.com/download?id=1aB-c_D&export=download&confirm=t"


@pytest.mark.parametrize(
    "link",
    [
        "https://drive.google.com/file/d/1aB-c_D/view?usp=sharing",
        "https://drive.google.com/file/d/1aB-c_D",
        "https://drive.google.com/file/u/1/d/1aB-c_D/edit",
        "https://drive.google.com/open?id=1aB-c_D",
        "https://drive.google.com/uc?export=view&id=1aB-c_D",
        "https://docs.google.com/uc?id=1aB-c_D",
    ],
)
def test_a_google_drive_link_becomes_a_download(link: str) -> None:
    assert direct_download(link) == DRIVE


def test_a_google_drive_link_keeps_its_resource_key() -> None:
    link = "https://drive.google.com/file/d/1aB-c_D/view?resourcekey=0-xY"
    assert direct_download(link) == DRIVE + "&resourcekey=0-xY"


@pytest.mark.parametrize(
    ("link", "download"),
    [
        (
            "https://www.dropbox.com/s/abc/clip.mp4?dl=0",
            "https://www.dropbox.com/s/abc/clip.mp4?dl=1",
        ),
        (
            "https://dropbox.com/scl/fi/abc/my%20clip.mp4?rlkey=k&st=x&raw=1",
            "https://www.dropbox.com/scl/fi/abc/my%20clip.mp4?rlkey=k&st=x&dl=1",
        ),
    ],
)
def test_a_dropbox_link_becomes_a_download(link: str, download: str) -> None:
    assert direct_download(link) == download


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com/file/d/1aB/view",
        "https://drive.google.com/drive/folders/1aB",
        "https://drive.google.com/open?id=../../etc",
        "https://drive.google.com.evil.example/file/d/1aB/view",
        "https://www.dropbox.com/scl/fo/abc/folder?dl=0",
        "https://www.dropbox.com/home",
    ],
)
def test_everything_else_stays_as_it_is(link: str) -> None:
    assert direct_download(link) == link
