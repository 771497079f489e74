"""Write operations of uploads."""
