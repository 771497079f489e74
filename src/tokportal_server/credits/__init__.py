"""Credits: prices with their history, lots, the append-only ledger, and ``/me``.

The rules of the ledger (contract section 5) are SQL functions of the migration ``0002_credits``:
each takes the workspace's lock, books due expiries, and moves lots and entries together. Emits
``credits.low``, ``credits.restored`` and ``credits.expiring``.
"""
