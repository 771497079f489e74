"""``openapi`` and ``docs``: what is written from the code."""

from __future__ import annotations

from pathlib import Path

from tokportal_server.entry import documents
from tokportal_server.entry.commands import app
from tokportal_server.entry.operator_options import Flag


def openapi(*, check: Flag = False) -> int:
    """Write contract/openapi.json from the code.

    Parameters
    ----------
    check
        Write nothing, and fail if the file is not current.
    """
    return documents.write_openapi(check=check)


def docs(*, check: Flag = False, site: Path | None = None) -> int:
    """Write the generated pages of docs/ and the Postman collection.

    Parameters
    ----------
    check
        Write nothing, and fail if they are not current or the reference cannot be made.
    site
        Write all documentation instead, as a folder that needs no server.
    """
    if site is not None:
        return documents.write_site(site)
    return documents.write_docs(app, check=check)
