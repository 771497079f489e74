"""What managers are owed: rates, one entry for each finished job, statements of the month.

An entry is derived from the event of the job's end, once, by a listener (``finished.py``), and
taken back once if its price goes back to the customer whole or its account is banned soon
(``reversal.py``). Operators set rates, adjust and settle; managers agree or dispute.
"""
