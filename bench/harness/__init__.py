"""What the measurements share: a filled database, servers in processes of their own, and load."""
