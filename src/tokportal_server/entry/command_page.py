"""Every command as a page, made from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import Parameter as Inspected
from typing import Any, get_args, get_origin

from cyclopts import App
from cyclopts.argument import Argument
from cyclopts.docs.base import iterate_commands


def command_paths(app: App, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Give every command with the words that it is called by; groups are not commands."""
    for name, command in iterate_commands(app):
        if command.default_command is not None:
            yield (*before, name), command
        yield from command_paths(command, (*before, name))


def commands_text(app: App) -> str:
    """Give the page: single commands first, then each group's; a command may be both."""
    commands = list(command_paths(app))
    parts: list[str] = []
    for path, command in commands:
        if len(path) == 1:
            parts += _one(app, path, command, heading="##")
    for group, described in iterate_commands(app):
        of_group = [one for one in commands if one[0][0] == group and len(one[0]) > 1]
        if of_group and described.default_command is None:
            parts += [f"## {group}", "", described.help or "", ""]
        for path, command in of_group:
            parts += _one(app, path, command, heading="###")
    return "\n".join(parts)


def _one(app: App, path: tuple[str, ...], command: App, *, heading: str) -> Iterator[str]:
    arguments = [
        one for one in command.assemble_argument_collection(parse_docstring=True) if one.show
    ]
    yield f"{heading} {' '.join(path)}"
    yield ""
    yield " ".join(["   ", app.name[0], *path, *map(_usage, arguments)])
    yield ""
    yield from _told(command.default_command.__doc__ or "")
    if arguments:
        yield "| argument | meaning |"
        yield "|---|---|"
        for one in arguments:
            yield f"| {_names(one)} | {_meaning(one)} |"
        yield ""


def _told(docstring: str) -> Iterator[str]:
    """Give the paragraphs of a docstring that stand before its list of parameters."""
    prose = docstring.partition("Parameters\n")[0]
    for paragraph in prose.split("\n\n"):
        if words := " ".join(paragraph.split()):
            yield words.replace("``", "`")
            yield ""


def _is_option(one: Argument) -> bool:
    return one.field_info.kind is Inspected.KEYWORD_ONLY


def _name(one: Argument) -> str:
    if _is_option(one):
        # What is done unless it is switched off is told by the name that switches it off.
        return one.names[-1] if one.field_info.default is True else one.name
    return one.name.removeprefix("--").upper().replace("-", "_")


def _names(one: Argument) -> str:
    both = one.names if _is_option(one) and one.field_info.default is True else (_name(one),)
    return ", ".join(f"`{name}`" for name in both)


def _usage(one: Argument) -> str:
    words = _name(one)
    if _is_option(one) and one.hint is not bool:
        words += f" {one.name.removeprefix('--').upper().replace('-', '_')}"
    if _takes_many(one.hint):
        words += " …"
    return words if one.required else f"[{words}]"


def _takes_many(hint: Any) -> bool:
    return any(get_origin(kind) in (list, tuple) for kind in (hint, *get_args(hint)))


def _meaning(one: Argument) -> str:
    told = " ".join((one.parameter.help or "").split())
    default = one.field_info.default
    shown = default is not Inspected.empty and default not in (None, False, True, ())
    return told + (f" By default `{default}`." if shown and not one.required else "")
