"""The wire: everything that is the same for every operation.

A request passes, in the order of contract section 1: route, admission (key, bucket), scope, body,
idempotency, parameters and body rules; only then the operation runs, in one transaction that also
stores the answer. This slice owns the tables ``buckets`` and ``idempotency_keys``; it emits
nothing.
"""
