"""The API reference, made from the operations: pages, samples, Markdown, Postman, static export.

Owns no rule and no table. What it says of an operation comes from the OpenAPI document and the
operation's error classes, what it shows being called from ``contract/examples.json``, the guides
from ``docs/guides``. It emits nothing.
"""
