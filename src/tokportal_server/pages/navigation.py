"""What the frame of every page leads to, by the kind of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Section:
    """A page in the navigation; ``here`` is the word by which a template says that it is this one.

    ``path`` follows the root of its kind of work: ``/desk``, ``/console/{workspace}``, ``/admin``.
    Its name is the text ``nav.<here>``.
    """

    here: str
    path: str = ""


DESK: Final = (Section("queue"), Section("mine", "/mine"))
CONSOLE: Final = (Section("overview"), Section("bundles", "/bundles"))
ADMIN: Final[tuple[Section, ...]] = ()
