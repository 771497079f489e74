"""Webhooks: endpoints, the catalogue of events, and their delivery (contract section 12).

Two loops carry an event from the outbox to its receivers: ``dispatch`` fixes the bytes and writes
one pending delivery per subscribed endpoint, ``deliver`` claims, sends outside any transaction and
records. Emits nothing: what happens to an endpoint is in the journal.
"""
