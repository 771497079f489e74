"""Multipart bodies made by hand, so that a test says what is in them and in which order."""

from __future__ import annotations

from uuid import uuid4


def form(
    file: bytes | None,
    fields: dict[str, str],
    *,
    filename: str = "clip.mp4",
    claimed_type: str = "application/octet-stream",
    file_first: bool = True,
) -> tuple[bytes, dict[str, str]]:
    """Give a body and its headers; without ``file`` there is no such part."""
    boundary = uuid4().hex
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name.encode(), value.encode())
        for name, value in fields.items()
    ]
    if file is not None:
        head = (
            f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            f"Content-Type: {claimed_type}\r\n\r\n"
        )
        parts.insert(0 if file_first else len(parts), head.encode() + file)
    mark = b"--" + boundary.encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
