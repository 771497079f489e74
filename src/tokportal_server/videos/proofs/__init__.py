"""Proofs of finalized slots: what was ordered, with which media, what was posted, who approved.

A proof is written once, when its slot is finalized, and never changes. It verifies without this
server: ``lib/chain.py`` says how, ``tokportal-server proof verify`` does it.
"""
