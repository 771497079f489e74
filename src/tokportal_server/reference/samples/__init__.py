"""Samples of a call in four languages, each a whole program.

Addresses and keys come from the environment variables that the published clients read
(``TOKPORTAL_BASE_URL``, ``TOKPORTAL_API_KEY``), ids from variables named after the placeholder, so
that a sample runs as it stands. Calls beyond the reference have their base in ``REHEARSAL_URL``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokportal_server.http.registry import Operation
from tokportal_server.reference.examples import Example
from tokportal_server.reference.samples.curl import curl_sample
from tokportal_server.reference.samples.go import go_sample
from tokportal_server.reference.samples.node import node_sample
from tokportal_server.reference.samples.python import python_sample
from tokportal_server.reference.samples.request import SampleRequest


@dataclass(frozen=True, slots=True)
class Language:
    """A language of samples: its key in pages, what it is called, its name in Markdown fences."""

    key: str
    title: str
    fence: str
    write: Callable[[SampleRequest], str]


LANGUAGES = (
    Language("curl", "curl", "sh", curl_sample),
    Language("node", "Node", "js", node_sample),
    Language("python", "Python", "python", python_sample),
    Language("go", "Go", "go", go_sample),
)


def samples_of(operation: Operation, example: Example) -> dict[str, str]:
    """Give the sample of an operation in each language, by the language's key."""
    request = SampleRequest(operation, example)
    return {language.key: language.write(request) for language in LANGUAGES}
