"""Endpoints, the outbox fan-out, and deliveries over real sockets."""
