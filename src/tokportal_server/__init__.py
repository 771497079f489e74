"""tokportal-server: a self-hosted server for the TokPortal public API."""

__version__ = "0.1.0"
