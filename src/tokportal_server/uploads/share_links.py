"""Links for people become links to the file: Google Drive and Dropbox (contract section 7)."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

_DRIVE_HOSTS = frozenset({"drive.google.com", "docs.google.com"})
_DRIVE_FILE = re.compile(r"/file/(?:u/\d+/)?d/([A-Za-z0-9_-]+)(?:/|$)")
_DRIVE_BY_QUERY = frozenset({"/open", "/uc"})
_DRIVE_ID = re.compile(r"[A-Za-z0-9_-]+")
_DROPBOX_HOSTS = frozenset({"dropbox.com", "www.dropbox.com"})
# Links to one file; those to folders (/sh/, /scl/fo/) would give an archive.
_DROPBOX_FILE = re.compile(r"/(?:s|scl/fi)/.+")


def direct_download(url: str) -> str:
    """Give the address of the file itself if ``url`` is a share link, else the URL as it is."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host in _DRIVE_HOSTS:
        return _drive(parts.path, parse_qs(parts.query)) or url
    if host in _DROPBOX_HOSTS and _DROPBOX_FILE.fullmatch(parts.path):
        kept = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("dl", "raw")]
        query = urlencode([*kept, ("dl", "1")])
        return urlunsplit(("https", "www.dropbox.com", parts.path, query, ""))
    return url


def _drive(path: str, query: dict[str, list[str]]) -> str | None:
    found = _DRIVE_FILE.match(path)
    file_id = found[1] if found else None
    if path in _DRIVE_BY_QUERY and _DRIVE_ID.fullmatch(query.get("id", [""])[0]):
        file_id = query["id"][0]
    if file_id is None:
        return None
    # `confirm` answers the page that warns of files too large for Google's virus scan.
    asked = {"id": file_id, "export": "download", "confirm": "t"}
    if "resourcekey" in query:
        asked["resourcekey"] = query["resourcekey"][0]
    return f"https://drive.usercontent.google.com/download?{urlencode(asked)}"
