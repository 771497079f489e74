"""Samples for Node 18 and later: an ECMAScript module that uses the built-in fetch."""

from __future__ import annotations

from tokportal_server.reference.samples.literal import Style, literal, quoted
from tokportal_server.reference.samples.request import Part, SampleRequest, Variable, part_of


def _key(name: str) -> str:
    return name if name.isidentifier() else quoted(name)


_JS = Style(variable=lambda name: f"process.env.{name}", key=_key)


def node_sample(request: SampleRequest) -> str:
    """Write the call; it throws what the server said if it is refused."""
    lines = []
    if request.example.file is not None:
        lines += _form(request, request.example.file)
    lines.append(f"const response = await fetch({_template(request.address)}, {{")
    if request.operation.method != "GET":
        lines.append(f'  method: "{request.operation.method}",')
    if request.headers:
        lines.append("  headers: {")
        lines += [f"    {_key(name)}: {_value(value)}," for name, value in request.headers.items()]
        lines.append("  },")
    if request.example.body is not None:
        lines.append(f"  body: JSON.stringify({literal(request.example.body, _JS, 1)}),")
    elif request.example.file is not None:
        lines.append("  body: form,")
    lines.append("});")
    lines.append("if (!response.ok) throw new Error(await response.text());")
    shown = f"await response.{'text' if request.text_answer else 'json'}()"
    if request.empty_answer:
        shown = "response.status"
    lines.append(f"console.log({shown});")
    return "\n".join(lines).replace(", {\n});", ");")


def _form(request: SampleRequest, file: str) -> list[str]:
    fields = request.example.fields.items()
    return [
        'import { readFile } from "node:fs/promises";',
        "",
        "const form = new FormData();",
        *(f"form.set({quoted(key)}, {_value(part_of(value))});" for key, value in fields),
        f'form.set("file", new Blob([await readFile({quoted(file)})]), {quoted(file)});',
        "",
    ]


def _value(part: Part) -> str:
    if isinstance(part, Variable):
        return f"process.env.{part.name}"
    return quoted(part)


def _template(parts: list[Part]) -> str:
    texts = (f"${{process.env.{p.name}}}" if isinstance(p, Variable) else p for p in parts)
    return f"`{''.join(texts)}`"
