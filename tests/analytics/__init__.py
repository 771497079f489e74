"""What was seen, and what is shown of it."""
