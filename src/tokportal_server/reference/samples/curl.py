"""Samples for curl in a POSIX shell."""

from __future__ import annotations

import re

from tokportal_server.reference.samples.literal import Style, literal, quoted
from tokportal_server.reference.samples.request import Part, SampleRequest, Variable, part_of

_SPECIAL_IN_QUOTES = re.compile(r'([\\$`"])')
_SPECIAL_IN_DOCUMENT = re.compile(r"([\\$`])")
# Inside a here-document: the shell fills variables in, quotation marks are JSON's own.
_JSON = Style(
    variable=lambda name: f'"${name}"',
    trailing_comma="",
    text=lambda text: _SPECIAL_IN_DOCUMENT.sub(r"\\\1", quoted(text)),
)


def curl_sample(request: SampleRequest) -> str:
    """Write the call; curl ends with 22 if it is refused, and prints the answer either way."""
    options = ["curl -sS --fail-with-body"]
    if request.operation.method != "GET":
        options[0] += f" -X {request.operation.method}"
    options.append(_quoted(request.address))
    options += [f"-H {_quoted([f'{name}: ', value])}" for name, value in request.headers.items()]
    if request.example.file is not None:
        fields = request.example.fields.items()
        options += [f"-F {_quoted([f'{name}=', part_of(value)])}" for name, value in fields]
        options.append(f'-F "file=@{request.example.file}"')
    if request.example.body is None:
        return " \\\n  ".join(options)
    options.append("--data @- <<JSON")
    return " \\\n  ".join(options) + f"\n{literal(request.example.body, _JSON)}\nJSON"


def _quoted(parts: list[Part]) -> str:
    return '"' + "".join(_in_quotes(part) for part in parts) + '"'


def _in_quotes(part: Part) -> str:
    return f"${part.name}" if isinstance(part, Variable) else _SPECIAL_IN_QUOTES.sub(r"\\\1", part)
