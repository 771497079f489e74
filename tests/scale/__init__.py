"""Many machines that are one server."""
