"""Programs that check the repository itself; none of them is installed with the server."""
