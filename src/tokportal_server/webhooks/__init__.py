"""Webhooks: endpoints, the catalogue of events, their delivery, and the feed (contract section 12).

Two loops carry an event from the outbox to its receivers: ``dispatch`` fixes the bytes, writes one
pending delivery per subscribed endpoint and wants a job per listener inside the product;
``deliver`` claims, sends outside any transaction and records. ``manual`` makes the attempts that
somebody asks for, ``feed`` reads the outbox in order, ``retention`` ends what has had its time.
Emits ``webhook.test``; what happens to an endpoint is in the journal and in the owners' notices.
"""
