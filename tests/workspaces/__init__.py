"""What the operator offers: one test file per operation."""
