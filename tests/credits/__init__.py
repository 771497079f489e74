"""Tests of prices, the ledger and the operations that show them."""
