"""Samples for the published Python client; the standard library where that has no method."""

from __future__ import annotations

from tokportal_server.reference.samples.literal import Style, literal, quoted
from tokportal_server.reference.samples.request import (
    API_KEY,
    BASE_URL,
    Part,
    SampleRequest,
    Variable,
)

_PYTHON = Style(
    variable=lambda name: f'os.environ["{name}"]',
    true="True",
    false="False",
    null="None",
    indent="    ",
)


def python_sample(request: SampleRequest) -> str:
    """Write the call; a refusal is raised with the server's message."""
    if request.operation.beyond_reference:
        return _with_the_standard_library(request)
    example = request.example
    arguments: list[tuple[str, object]] = [
        ("path", example.path),
        ("query", example.query),
        ("body", example.body),
        ("fields", example.fields),
        ("file_path", example.file),
        ("idempotency_key", request.idempotency_key),
    ]
    given = [f"{name}={literal(value, _PYTHON, 1)}" for name, value in arguments if value]
    call = _call("client.request_operation", [f'"{request.operation.operation_id}"', *given])
    return "\n".join(
        (
            "import os",
            "",
            "from tokportal import TokPortal",
            "",
            "client = TokPortal(",
            f'    os.environ["{API_KEY}"],',
            f'    base_url=os.environ["{BASE_URL}"],',
            ")",
            f"answer = {call}",
            "print(answer)",
        )
    )


def _with_the_standard_library(request: SampleRequest) -> str:
    """Write a call of an addition of this server, which the published client does not know."""
    headers = [f'        "{name}": {_value(value)},' for name, value in request.headers.items()]
    body = []
    if request.example.body is not None:
        body = [f"body = {literal(request.example.body, _PYTHON)}"]
    lines = [
        "import json",
        "import os",
        "from urllib.request import Request, urlopen",
        "",
        *body,
        "request = Request(",
        f"    {' + '.join(_value(part) for part in request.address)},",
        f'    method="{request.operation.method}",',
        "    headers={",
        *headers,
        "    },",
    ]
    if body:
        lines.append("    data=json.dumps(body).encode(),")
    lines += [")", "with urlopen(request) as response:", "    print(json.load(response))"]
    return "\n".join(lines)


def _call(function: str, arguments: list[str]) -> str:
    if len(arguments) == 1:
        return f"{function}({arguments[0]})"
    return f"{function}(\n    " + ",\n    ".join(arguments) + ",\n)"


def _value(part: Part) -> str:
    if isinstance(part, Variable):
        return f'os.environ["{part.name}"]'
    return quoted(part)
