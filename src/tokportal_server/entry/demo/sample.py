"""A small real video, made on the spot: two seconds of moving colour, in MP4."""

from __future__ import annotations

from pathlib import Path

import av
from PIL import Image

_WIDTH, _HEIGHT, _RATE, _SECONDS = 180, 320, 12, 2


def write_sample_video(path: Path) -> None:
    """Write an upright H.264 video of two seconds."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=_RATE)
        stream.width, stream.height = _WIDTH, _HEIGHT
        stream.pix_fmt = "yuv420p"
        for number in range(_RATE * _SECONDS):
            shade = number * 255 // (_RATE * _SECONDS)
            picture = Image.new("RGB", (_WIDTH, _HEIGHT), (shade, 90, 255 - shade))
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
