"""Pages of lists: ``page`` and ``per_page`` in, the ``pagination`` object out."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

PageNumber = Annotated[int, Meta(ge=1, le=1_000_000, description="Which page, from 1.")]
PerPage = Annotated[int, Meta(ge=1, le=100, description="How many rows a page holds.")]


class Page(msgspec.Struct, frozen=True, rename={"number": "page"}):
    """The ``pagination`` object of contract section 1."""

    number: int
    per_page: int
    total: int
    total_pages: int


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The two parameters that every paginated list takes."""

    page: PageNumber = 1
    per_page: PerPage = 25

    @property
    def offset(self) -> int:
        """How many rows stand before this page."""
        return (self.page - 1) * self.per_page

    def of(self, total: int) -> Page:
        """Describe this page of a list of ``total`` rows."""
        return Page(self.page, self.per_page, total, -(-total // self.per_page))
