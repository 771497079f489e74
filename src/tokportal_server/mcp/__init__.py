"""The API as tools for language models: the Model Context Protocol over HTTP and on stdio.

Owns no rule: each tool is one operation of the committed OpenAPI document, and calling it is an
ordinary request that meets the same checks as any other. Emits nothing of its own. FastMCP is
imported by the first caller, so that an API process without one does not pay for it.
"""
