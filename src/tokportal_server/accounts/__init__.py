"""Delivered accounts: what customers see of them, and their sealed credentials.

Owns ``saved_accounts`` and ``vault_items`` (section 9 of the contract). No secret is in any read.
"""
