"""Requests that Schemathesis makes up from the served OpenAPI document, against a live server."""
