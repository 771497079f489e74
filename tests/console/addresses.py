"""Addresses of the console, and what its forms are made of."""

from __future__ import annotations

import re
from html import unescape

from tests.cast import World
from tests.pages.guest import Seen

_SEEN = re.compile(r'name="seen" value="([^"]*)"')
_FORM = re.compile(r'<form [^>]*action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)


def console(world: World, *more: object) -> str:
    """Give an address of Alice's console."""
    return "/".join(["/console", str(world.acme), *map(str, more)])


def made_from(page: Seen, action: str) -> str:
    """Give what the form that goes to ``action`` says it was made from."""
    forms = {unescape(where): inside for where, inside in _FORM.findall(page.html)}
    found = _SEEN.search(forms[action])
    assert found is not None, action
    return unescape(found.group(1))
