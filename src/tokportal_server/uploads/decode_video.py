"""Sandboxed child: prove that a file is a playable video, and measure it.

Started by ``uploads.probe`` with ``{source, kind, max_seconds, max_side}``. Answers
``{content_type, width, height, duration_seconds, has_audio}``; the size is as displayed, the
rotation that phones record applied.

1. The container's outermost sizes must fit into the file.
2. The demuxer is the sniffed type's, and it can open nothing but the bytes it is given.
3. The first frame of the video stream is decoded, with an allow-listed decoder.
4. All of the stream's packets are read, not decoded: a header may promise more than the file
   holds, or less than it plays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tokportal_server.uploads.decoding import RefusedError, answer, unreadable
from tokportal_server.uploads.truncation import ENDS_EARLY

if TYPE_CHECKING:
    from PIL import Image

_DEMUXER_OF = {"video/mp4": "mov", "video/quicktime": "mov", "video/webm": "matroska"}
_DECODERS = "h264,hevc,mpeg4,prores,vp8,vp9,libdav1d,av1"
# Packets searched for the first frame that decodes.
_FIRST_PACKETS = 300


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Decode the first frame of ``source`` and read it to its end; raises RefusedError."""
    with Path(request["source"]).open("rb") as source:
        if ENDS_EARLY[request["kind"]](source):
            raise _incomplete()
        source.seek(0)
        try:
            with _open(source, request["kind"]) as container:
                return _measure(container, request)
        except (RefusedError, MemoryError):
            raise
        except (av.FFmpegError, ValueError, OverflowError) as cause:
            raise unreadable(cause) from cause


def poster_frame(source: BinaryIO, kind: str, request: dict[str, Any]) -> Image.Image:
    """Give the first frame as it is meant to be seen, scaled to fit into ``side`` squared.

    ``request`` holds ``side``, ``max_side`` and ``max_seconds``. Raises RefusedError and what the
    decoder raises.
    """
    with _open(source, kind) as container:
        stream = _video_stream(container)
        _prepare(stream, request["max_side"])
        frame = _first_frame(_whole_packets(container, stream), _Span(request["max_seconds"]))
        # Scaled before it becomes an image, so that a large frame is held once.
        scale = min(1.0, request["side"] / max(frame.width, frame.height))
        width, height = (max(1, round(length * scale)) for length in (frame.width, frame.height))
        small = frame.reformat(width, height, format="rgb24")
        picture: Image.Image = small.to_image()  # type: ignore[no-untyped-call]
        # Both count degrees against the clock.
        return picture.rotate(frame.rotation, expand=True)


def _open(source: BinaryIO, kind: str) -> InputContainer:
    container: InputContainer = av.open(
        source,
        mode="r",
        format=_DEMUXER_OF[kind],
        metadata_errors="replace",
        container_options={
            # No protocol is on this list, so a file that refers to another cannot reach it.
            "protocol_whitelist": "none",
            "codec_whitelist": _DECODERS,
        },
    )
    return container


def _measure(container: InputContainer, request: dict[str, Any]) -> dict[str, Any]:
    stream = _video_stream(container)
    _check_side(stream.width, stream.height, request["max_side"])
    stated = (container.duration or 0) / av.time_base
    _check_duration(stated, request["max_seconds"])
    _prepare(stream, request["max_side"])
    packets = _whole_packets(container, stream)
    span = _Span(request["max_seconds"])
    frame = _first_frame(packets, span)
    _check_side(frame.width, frame.height, request["max_side"])
    for packet in packets:
        span.add(packet)
    turned = frame.rotation % 180 != 0
    width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
    return {
        "content_type": request["kind"],
        "width": width,
        "height": height,
        "duration_seconds": round(max(stated, span.seconds), 3),
        "has_audio": bool(container.streams.audio),
    }


def _prepare(stream: VideoStream, max_side: int) -> None:
    stream.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(max_side**2)}


def _video_stream(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        # A song's cover is a video stream of one picture.
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    raise RefusedError(
        "MEDIA_UNREADABLE", "The file has no video stream: send one that plays a film."
    )


def _check_side(width: int, height: int, max_side: int) -> None:
    if max(width, height) > max_side:
        raise RefusedError(
            "MEDIA_UNREADABLE",
            f"The video's frames are {width} x {height} pixels; at most {max_side} a side are "
            "decoded. Send it in a lower resolution.",
            width=width,
            height=height,
            limit_side=max_side,
        )


def _check_duration(seconds: float, max_seconds: int) -> None:
    if seconds > max_seconds:
        raise RefusedError(
            "VIDEO_TOO_LONG",
            f"The video plays {seconds:.0f} seconds or more; at most {max_seconds} are taken. "
            "Send a shorter cut.",
            duration_seconds=round(seconds, 3),
            limit_seconds=max_seconds,
        )


def _whole_packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Read the stream's packets; raises RefusedError at one that the file's end has cut."""
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise _incomplete()
        yield packet


def _incomplete() -> RefusedError:
    return RefusedError(
        "MEDIA_UNREADABLE",
        "The video is incomplete: part of what its header announces is missing. Send the whole "
        "file.",
    )


def _first_frame(packets: Iterator[Packet[VideoStream]], span: _Span) -> VideoFrame:
    for packet in islice(packets, _FIRST_PACKETS):
        span.add(packet)
        for frame in packet.decode():
            if isinstance(frame, VideoFrame):
                return frame
    raise RefusedError(
        "MEDIA_UNREADABLE",
        "The file has a video stream but no frame of it can be decoded: export it again, "
        "best as H.264 in MP4.",
    )


class _Span:
    """The time from the first picture's start to the last one's end, by the packets seen."""

    def __init__(self, max_seconds: int) -> None:
        self._max_seconds = max_seconds
        self._first = math.inf
        self._last = -math.inf

    @property
    def seconds(self) -> float:
        return max(0.0, self._last - self._first)

    def add(self, packet: Packet[VideoStream]) -> None:
        """Count a packet in; raises RefusedError as soon as the time is longer than allowed."""
        if packet.pts is None:
            return
        start = float(packet.pts * packet.time_base)
        self._first = min(self._first, start)
        self._last = max(self._last, start + float((packet.duration or 0) * packet.time_base))
        _check_duration(self.seconds, self._max_seconds)


if __name__ == "__main__":
    answer(measure)
