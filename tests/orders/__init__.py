"""Orders from their creation to their completion."""
