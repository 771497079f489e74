"""What becomes of media, honest and hostile: facts, clean copies, or the right refusal."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pillow_heif
import psutil
import pytest
from PIL import Image

from tests.lib.memory import PeakMemory
from tests.uploads import media
from tokportal_server.lib.errors import ApiError
from tokportal_server.uploads.limits import (
    FileTooLargeError,
    ImageTooLargeError,
    MediaLimits,
    MediaUnreadableError,
    UnsupportedMediaTypeError,
    VideoTooLongError,
    within,
)
from tokportal_server.uploads.probe import ImageFacts, VideoFacts, normalise_image, probe_video

LIMITS = MediaLimits()
MIB = 1 << 20
Maker = Callable[[], bytes]


@pytest.fixture(autouse=True)
def no_child_survives() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "clean"


def write(folder: Path, data: bytes, name: str = "upload.bin") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def content(path: Path) -> bytes:
    return path.read_bytes()


def assert_absent(path: Path) -> None:
    assert not path.exists()


async def probe(folder: Path, data: bytes, **limits: int) -> VideoFacts:
    return await probe_video(write(folder, data), limits=MediaLimits(**limits))


async def clean(folder: Path, data: bytes, **limits: int) -> tuple[ImageFacts, bytes]:
    target = folder / "clean"
    facts = await normalise_image(write(folder, data), target, limits=MediaLimits(**limits))
    return facts, content(target)


# Videos -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "codec", "content_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mp4", "libx265", "video/mp4"),
        ("mp4", "mpeg4", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx", "video/webm"),
        ("webm", "libvpx-vp9", "video/webm"),
    ],
)
async def test_measures_a_video(
    tmp_path: Path, container: str, codec: str, content_type: str
) -> None:
    data = media.video(container=container, codec=codec, size=(64, 96), frames=50, rate=25)
    assert await probe(tmp_path, data) == VideoFacts(content_type, 64, 96, 2.0, has_audio=False)


@pytest.mark.parametrize("container", ["mp4", "webm"])
async def test_tells_whether_there_is_sound(tmp_path: Path, container: str) -> None:
    codec = "libvpx" if container == "webm" else "libx264"
    facts = await probe(tmp_path, media.video(container=container, codec=codec, audio=True))
    assert facts.has_audio


async def test_tells_the_size_that_a_phones_rotation_shows(tmp_path: Path) -> None:
    facts = await probe(tmp_path, media.video(size=(64, 96), rotation=90))
    assert (facts.width, facts.height) == (96, 64)


@pytest.mark.parametrize(("seconds", "refused"), [(600, False), (601, True)])
async def test_takes_ten_minutes_and_no_more(
    tmp_path: Path, seconds: int, *, refused: bool
) -> None:
    data = media.video(frames=seconds, rate=1)
    if not refused:
        assert (await probe(tmp_path, data)).duration_seconds == 600.0
        return
    with pytest.raises(VideoTooLongError, match="at most 600") as refusal:
        await probe(tmp_path, data)
    assert refusal.value.details["duration_seconds"] == 601.0


async def test_believes_the_packets_where_the_header_states_less_time(tmp_path: Path) -> None:
    honest = media.video(container="webm", codec="libvpx", frames=700, rate=1)
    # The Duration element of the WebM: identifier, length 8, a float64 of milliseconds.
    at = honest.index(b"\x44\x89\x88") + 3
    lying = honest[:at] + b"\x40\x8f\x40" + bytes(5) + honest[at + 8 :]
    with pytest.raises(VideoTooLongError):
        await probe(tmp_path, lying)


async def test_refuses_frames_larger_than_are_decoded(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadableError, match="at most 80 a side"):
        await probe(tmp_path, media.video(size=(64, 96)), video_max_side=80)


async def test_refuses_frames_that_are_larger_than_the_header_states(tmp_path: Path) -> None:
    honest = media.video(codec="mpeg4", size=(640, 640))
    # The sample entry states 640 x 640; the stream inside keeps its own size.
    at = honest.index(b"mp4v") + 28
    lying = honest[:at] + b"\x00\x40\x00\x40" + honest[at + 4 :]
    assert honest[at : at + 4] == b"\x02\x80\x02\x80"
    with pytest.raises(MediaUnreadableError):
        await probe(tmp_path, lying, video_max_side=320)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("container", ["mp4", "mov", "webm"])
async def test_refuses_a_truncated_video(tmp_path: Path, container: str, share: float) -> None:
    codec = "libvpx" if container == "webm" else "libx264"
    whole = media.video(container=container, codec=codec, frames=200)
    with pytest.raises(MediaUnreadableError):
        await probe(tmp_path, whole[: int(len(whole) * share)])


@pytest.mark.parametrize("trailer", [b"SEFT" + bytes(100), b"\xff" * 100, bytes(100)])
async def test_what_a_camera_appends_is_no_truncation(tmp_path: Path, trailer: bytes) -> None:
    facts = await probe(tmp_path, media.video() + trailer)
    assert facts.duration_seconds == 1.0


async def test_a_fragmented_video_is_measured_or_found_truncated(tmp_path: Path) -> None:
    whole = media.video(frames=200, movflags="frag_keyframe+empty_moov")
    assert (await probe(tmp_path, whole)).duration_seconds == 8.0
    with pytest.raises(MediaUnreadableError, match="incomplete"):
        await probe(tmp_path, whole[: int(len(whole) * 0.9)])


async def test_a_live_recording_without_sizes_is_measured(tmp_path: Path) -> None:
    whole = media.video(container="webm", codec="libvpx", frames=50)
    at = whole.index(b"\x18\x53\x80\x67") + 4
    live = whole[:at] + b"\x01" + b"\xff" * 7 + whole[at + 8 :]
    assert (await probe(tmp_path, live)).duration_seconds == 2.0


async def test_a_song_with_a_cover_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadableError, match="no video stream"):
        await probe(tmp_path, media.song_with_cover())


async def test_a_playlist_named_mp4_opens_no_other_file(tmp_path: Path) -> None:
    other = write(tmp_path, media.video(), "other.mp4")
    playlist = media.FFCONCAT % bytes(other)
    with pytest.raises(UnsupportedMediaTypeError):
        await probe_video(write(tmp_path, playlist, "film.mp4"), limits=LIMITS)
    disguised = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + playlist
    with pytest.raises(MediaUnreadableError):
        await probe_video(write(tmp_path, disguised, "film.mp4"), limits=LIMITS)


@pytest.mark.parametrize("junk", [bytes(1000), b"\xff" * 1000, b"moov" * 300])
async def test_refuses_junk_behind_an_mp4_header(tmp_path: Path, junk: bytes) -> None:
    with pytest.raises(MediaUnreadableError):
        await probe(tmp_path, b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + junk)


async def test_probing_changes_nothing(tmp_path: Path) -> None:
    data = media.video()
    path = write(tmp_path, data)
    await probe_video(path, limits=LIMITS)
    assert content(path) == data


# Images -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "content_type"),
    [
        (media.jpeg, "image/jpeg"),
        (media.png, "image/png"),
        (media.webp, "image/webp"),
        (media.gif, "image/gif"),
    ],
)
async def test_keeps_the_format_and_strips_the_metadata(
    tmp_path: Path, make: Maker, content_type: str
) -> None:
    data = make()
    assert media.GPS_TEXT in data
    facts, written = await clean(tmp_path, data)
    assert facts == ImageFacts(content_type, 40, 20, len(written))
    assert media.GPS_TEXT not in written
    with Image.open(io.BytesIO(written)) as image:
        image.load()
        assert Image.MIME[str(image.format)] == content_type
        assert not image.getexif()
        assert not {"exif", "xmp", "comment", "icc_profile", "Comment"} & set(image.info)


async def test_heic_becomes_jpeg_without_metadata(tmp_path: Path) -> None:
    data = media.heic((64, 32))
    assert media.GPS_TEXT in data
    facts, written = await clean(tmp_path, data)
    assert facts == ImageFacts("image/jpeg", 64, 32, len(written))
    assert media.GPS_TEXT not in written
    assert (pixel(written, (8, 16)), pixel(written, (56, 16))) == ("red", "blue")


def pixel(data: bytes, place: tuple[int, int]) -> str:
    """Name the channel that is strongest in a pixel."""
    with Image.open(io.BytesIO(data)) as image:
        value = image.convert("RGB").getpixel(place)
    assert isinstance(value, tuple)
    return ("red", "green", "blue")[value.index(max(value))]


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_applies_the_orientation(tmp_path: Path, orientation: int) -> None:
    # Red is on the left of what is stored; where it must be seen follows from the EXIF standard.
    red_at = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom"}
    facts, written = await clean(tmp_path, media.jpeg(orientation))
    assert (facts.width, facts.height) == ((40, 20) if orientation < 5 else (20, 40))
    middle = (facts.width // 2, facts.height // 2)
    places = {
        "left": (4, middle[1]),
        "right": (facts.width - 4, middle[1]),
        "top": (middle[0], 4),
        "bottom": (middle[0], facts.height - 4),
    }
    side = red_at.get(orientation, "bottom")
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[side]
    assert pixel(written, places[side]) == "red"
    assert pixel(written, places[opposite]) == "blue"


async def test_brings_colours_to_srgb_before_the_profile_is_dropped(tmp_path: Path) -> None:
    data = media.with_swapped_profile()
    facts, written = await clean(tmp_path, data)
    assert facts.content_type == "image/png"
    # The profile says that the first channel is green, so what is stored as red is seen as green.
    assert (pixel(data, (5, 10)), pixel(written, (5, 10))) == ("red", "green")


async def test_a_damaged_colour_profile_spoils_nothing(tmp_path: Path) -> None:
    data = media.saved(media.picture(), "PNG", icc_profile=b"no profile at all")
    _, written = await clean(tmp_path, data)
    assert b"iCCP" not in written


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
async def test_takes_every_colour_mode(tmp_path: Path, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    facts, written = await clean(tmp_path, media.saved(Image.new(mode, (40, 20)), kind))
    assert (facts.width, facts.height, facts.size_bytes) == (40, 20, len(written))


async def test_keeps_transparency(tmp_path: Path) -> None:
    image = media.picture(mode="RGBA")
    image.putalpha(0)
    for kind in ("PNG", "WEBP", "GIF"):
        _, written = await clean(tmp_path, media.saved(image, kind))
        with Image.open(io.BytesIO(written)) as result:
            assert result.convert("RGBA").getchannel("A").getextrema() == (0, 0)


async def test_a_transparent_heic_is_seen_on_white(tmp_path: Path) -> None:
    out = io.BytesIO()
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    pillow_heif.from_pillow(image).save(out, quality=90)
    _, written = await clean(tmp_path, out.getvalue())
    with Image.open(io.BytesIO(written)) as result:
        value = result.getpixel((32, 32))
    assert isinstance(value, tuple)
    assert min(value) > 240


async def test_an_animated_gif_stays_one(tmp_path: Path) -> None:
    facts, written = await clean(tmp_path, media.gif(frames=4))
    assert facts.content_type == "image/gif"
    with Image.open(io.BytesIO(written)) as image:
        durations = []
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            durations.append(image.info["duration"])
    assert durations == [100, 110, 120, 130]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_refuses_an_animation_it_would_silence(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="animated GIF"):
        await clean(tmp_path, media.animated(kind))


@pytest.mark.hazard(37)
@pytest.mark.parametrize("name", media.POLYGLOTS)
async def test_nothing_beside_the_pixels_survives(tmp_path: Path, name: str) -> None:
    data = media.POLYGLOTS[name]()
    _, written = await clean(tmp_path, data)
    for trace in (b"script", b"alert", b"PK\x03\x04", media.GPS_TEXT):
        assert trace not in written


# Refusals ---------------------------------------------------------------------------------------

BOMBS: dict[str, tuple[Maker, type[ApiError]]] = {
    "png of 13000 squared": (lambda: media.png_bomb(13000), ImageTooLargeError),
    "png of 20000 squared": (lambda: media.png_bomb(20000), ImageTooLargeError),
    "webp of 16383 x 10900": (media.webp_bomb, ImageTooLargeError),
    "heic of 8000 squared": (lambda: media.heic_bomb(8000), ImageTooLargeError),
    "gif of 300 frames": (lambda: media.gif_bomb(300, 4000), ImageTooLargeError),
    "gif with a frame outside its screen": (lambda: media.gif_bomb(1, 8000, 1), ImageTooLargeError),
    "png whose sides differ": (lambda: media.png_header(1_000_000, 1), ImageTooLargeError),
    "png that claims 50 megapixels": (lambda: media.png_header(5000, 10000), MediaUnreadableError),
}


@pytest.mark.hazard(37)
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_without_unfolding(tmp_path: Path, out: Path, name: str) -> None:
    make, refusal = BOMBS[name]
    path = write(tmp_path, make())
    with PeakMemory() as memory, pytest.raises(refusal):
        await normalise_image(path, out, limits=LIMITS)
    assert memory.growth < 50 * MIB
    assert_absent(out)


@pytest.mark.hazard(37)
async def test_a_bomb_within_the_size_limits_ends_at_the_decoders(
    tmp_path: Path, out: Path
) -> None:
    """With the checks of size switched off, the child's own limits still hold."""
    path = write(tmp_path, media.webp_bomb(16383, 16383))
    limits = MediaLimits(image_max_pixels=1 << 40)
    with PeakMemory() as memory, pytest.raises(MediaUnreadableError):
        await normalise_image(path, out, limits=limits)
    assert memory.growth < 50 * MIB
    assert_absent(out)


@pytest.mark.hazard(37)
async def test_others_are_served_beside_a_bomb(tmp_path: Path, out: Path) -> None:
    bomb = write(tmp_path, media.webp_bomb(16383, 16383), "bomb")
    photo = write(tmp_path, media.jpeg(), "photo")
    unfolding = asyncio.create_task(
        normalise_image(bomb, out, limits=MediaLimits(image_max_pixels=1 << 40))
    )
    facts = await normalise_image(photo, tmp_path / "photo.clean", limits=LIMITS)
    assert facts.width == 40
    with pytest.raises(MediaUnreadableError):
        await unfolding


@pytest.mark.hazard(37)
@pytest.mark.parametrize("make", [media.jpeg, media.png, media.webp, media.gif, media.heic])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
async def test_refuses_a_truncated_image(
    tmp_path: Path, out: Path, make: Maker, share: float
) -> None:
    data = make()
    with pytest.raises(MediaUnreadableError) as refusal:
        await clean(tmp_path, data[: int(len(data) * share)])
    assert str(tmp_path) not in str(refusal.value.body("req_1"))
    assert_absent(out)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"BM" + bytes(100),
        b"II*\0" + bytes(100),
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1mp42",
        b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska",
        b"#EXTM3U\nfile:///etc/passwd",
    ],
)
async def test_refuses_types_that_are_not_taken(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data, "holiday.jpg")
    for attempt in (
        probe_video(path, limits=LIMITS),
        normalise_image(path, tmp_path / "clean", limits=LIMITS),
    ):
        with pytest.raises(UnsupportedMediaTypeError, match="name and content_type do not count"):
            await attempt


@pytest.mark.hazard(37)
async def test_the_bytes_count_and_not_the_name(tmp_path: Path, out: Path) -> None:
    facts = await normalise_image(write(tmp_path, media.png(), "a.jpg"), out, limits=LIMITS)
    assert facts.content_type == "image/png"
    film = await probe_video(write(tmp_path, media.video(), "a.gif"), limits=LIMITS)
    assert film.content_type == "video/mp4"


async def test_each_kind_has_its_own_door(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="image/png, but a video"):
        await probe(tmp_path, media.png())
    with pytest.raises(UnsupportedMediaTypeError, match="video/mp4, but an image"):
        await clean(tmp_path, media.video())


async def test_a_page_behind_a_png_signature_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadableError):
        await clean(tmp_path, b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>")


async def test_refuses_too_many_bytes_before_a_child_starts(tmp_path: Path) -> None:
    data = media.jpeg()
    with pytest.raises(FileTooLargeError) as refusal:
        await clean(tmp_path, data, image_max_bytes=len(data) - 1)
    assert refusal.value.details == {"limit_bytes": len(data) - 1, "size_bytes": len(data)}
    with pytest.raises(FileTooLargeError):
        await probe(tmp_path, media.video(), video_max_bytes=100)
    assert (await clean(tmp_path, data, image_max_bytes=len(data)))[0].width == 40


@pytest.mark.parametrize(
    ("limits", "size", "refused"),
    [
        ({"image_max_pixels": 800}, (40, 20), False),
        ({"image_max_pixels": 799}, (40, 20), True),
        ({"image_max_side": 40}, (40, 20), False),
        ({"image_max_side": 39}, (40, 20), True),
    ],
)
@pytest.mark.parametrize("make", [media.jpeg, media.png, media.webp])
async def test_refuses_the_first_pixel_too_many(
    tmp_path: Path, make: Maker, limits: dict[str, int], size: tuple[int, int], *, refused: bool
) -> None:
    if not refused:
        assert (await clean(tmp_path, make(), **limits))[0].width == size[0]
        return
    with pytest.raises(ImageTooLargeError) as refusal:
        await clean(tmp_path, make(), **limits)
    details: dict[str, Any] = refusal.value.details
    assert (details["width"], details["height"]) == size


async def test_a_stream_is_cut_at_its_limit() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"12345"

    assert b"".join([chunk async for chunk in within(20, chunks())]) == b"12345" * 4
    cut = within(19, chunks())
    assert [await anext(cut) for _ in range(3)] == [b"12345"] * 3
    with pytest.raises(FileTooLargeError, match="at most 19 bytes"):
        await anext(cut)
