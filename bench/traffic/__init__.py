"""Mixed traffic against a whole installation, and whether it stood it."""
