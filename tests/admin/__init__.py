"""The operators' pages, as Olga uses them."""
