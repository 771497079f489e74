"""Markdown twins of the pages, and ``llms.txt``, for readers that are programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tokportal_server.reference.fields import Field
from tokportal_server.reference.guides import Guide
from tokportal_server.reference.model import OperationEntry, Reference
from tokportal_server.reference.samples import LANGUAGES

_ABOUT = (
    "> An independent, self-hosted server for the TokPortal public API. JSON over HTTP under"
    " `/api/ext`, an `X-API-Key` header, credits as whole numbers."
)


def operation_markdown(entry: OperationEntry) -> str:
    """Write everything that the page of an operation says."""
    operation = entry.operation
    key = "no key needed" if operation.public else "needs an API key"
    parts = [
        f"# {operation.summary}",
        f"`{operation.method} {entry.full_path}` · operation `{entry.id}` · {key}",
        operation.description.replace("``", "`"),
        *_request(entry),
        *_answer(entry),
        "## Refusals",
        _refusals(entry),
    ]
    return "\n\n".join(parts) + "\n"


def llms_text(reference: Reference, guides: Mapping[str, Guide], link: Callable[[str], str]) -> str:
    """Write the overview that https://llmstxt.org describes, with links to the twins."""
    lines = [
        "# tokportal-server",
        "",
        _ABOUT,
        "",
        "## Guides",
        "",
        *(f"- [{g.title}]({link(f'guides/{name}.md')})" for name, g in guides.items()),
    ]
    for tag, entries in reference.groups.items():
        lines += ["", f"## {tag}", "", *(_listed(entry, link) for entry in entries)]
    return "\n".join(lines) + "\n"


def _listed(entry: OperationEntry, link: Callable[[str], str]) -> str:
    operation = entry.operation
    return (
        f"- [{entry.id}]({link(f'operations/{entry.id}.md')}): {operation.summary},"
        f" `{operation.method} {entry.full_path}`"
    )


def _request(entry: OperationEntry) -> list[str]:
    parts = ["## Example", _bullets(f"`{n}`: {what}" for n, what in entry.variables.items())]
    for language in LANGUAGES:
        sample = entry.samples[language.key]
        parts += [f"### {language.title}", f"```{language.fence}\n{sample}\n```"]
    for title, fields in (
        ("Path", entry.path_fields),
        ("Query", entry.query_fields),
        ("Headers", entry.request_headers),
        (f"Body (`{entry.body_type}`)", entry.body_fields),
    ):
        if fields:
            parts += [f"## {title}", _fields(fields, required=True)]
    return parts


def _answer(entry: OperationEntry) -> list[str]:
    parts = [f"## Answer: {entry.operation.status}"]
    if entry.answer_fields:
        parts.append(_fields(entry.answer_fields, required=False))
    elif entry.operation.status != 204:
        parts.append(f"A text of type `{entry.operation.media}`.")
    if entry.sample_answer:
        parts.append(f"```json\n{entry.sample_answer}\n```")
    return [*parts, "### Headers of the answer", _fields(entry.answer_headers, required=False)]


def _fields(fields: Iterable[Field], *, required: bool) -> str:
    return _bullets(
        f"`{field.name}` ({field.kind}{', required' if required and field.required else ''})"
        + "".join(f"; {limit}" for limit in field.limits)
        + (f": {field.description.replace('``', '`')}" if field.description else "")
        for field in fields
    )


def _refusals(entry: OperationEntry) -> str:
    return _bullets(
        f"{r.status} `{r.code}`: {r.meaning.replace('``', '`')} {r.remedy}" for r in entry.refusals
    )


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
