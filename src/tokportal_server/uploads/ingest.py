"""From a local file of unknown content to an object in storage whose content is known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from tokportal_server.lib.storage import ObjectStore, make_key
from tokportal_server.uploads.limits import MediaLimits
from tokportal_server.uploads.probe import normalise_image, probe_video
from tokportal_server.uploads.sniff import MediaType

_SUFFIXES = {
    MediaType.MP4: ".mp4",
    MediaType.MOV: ".mov",
    MediaType.WEBM: ".webm",
    MediaType.JPEG: ".jpg",
    MediaType.PNG: ".png",
    MediaType.WEBP: ".webp",
    MediaType.GIF: ".gif",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """A stored object: sizes in bytes and pixels; ``duration_seconds`` is None for images."""

    storage_key: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int
    height: int
    duration_seconds: float | None


def suffix_of(content_type: str) -> str:
    """Give the file name suffix of a type that is stored, with its dot."""
    return _SUFFIXES[MediaType(content_type)]


async def ingest_video(
    path: Path, *, workspace_id: UUID, storage: ObjectStore, limits: MediaLimits
) -> Ingested:
    """Probe a video in a child process and store it byte for byte.

    Raises:
        ApiError: as :func:`tokportal_server.uploads.probe.probe_video`; nothing was stored.
    """
    facts = await probe_video(path, limits=limits)
    key = make_key(workspace_id.hex, suffix_of(facts.content_type))
    stored = await storage.put_file(key, path)
    return Ingested(
        storage_key=key,
        content_type=facts.content_type,
        size_bytes=stored.size,
        sha256=stored.sha256,
        width=facts.width,
        height=facts.height,
        duration_seconds=facts.duration_seconds,
    )


async def ingest_image(
    path: Path, *, workspace_id: UUID, storage: ObjectStore, limits: MediaLimits
) -> Ingested:
    """Decode an image in a child process and store its pixels, written anew without metadata.

    The clean copy lies beside ``path`` while this runs.

    Raises:
        ApiError: as :func:`tokportal_server.uploads.probe.normalise_image`; nothing was stored.
    """
    clean = path.with_name(path.name + ".clean")
    try:
        facts = await normalise_image(path, clean, limits=limits)
        key = make_key(workspace_id.hex, suffix_of(facts.content_type))
        stored = await storage.put_file(key, clean)
    finally:
        await asyncio.to_thread(clean.unlink, missing_ok=True)
    return Ingested(
        storage_key=key,
        content_type=facts.content_type,
        size_bytes=stored.size,
        sha256=stored.sha256,
        width=facts.width,
        height=facts.height,
        duration_seconds=None,
    )
