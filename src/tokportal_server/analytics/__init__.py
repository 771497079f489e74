"""What the orders achieved: snapshots, daily rollups, and the reads made from them.

Contract section 11. Reads never call a provider: they show what is stored, and where a number is
missing, why.
"""
