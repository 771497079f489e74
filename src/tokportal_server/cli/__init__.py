"""What the command line does, apart from starting servers: no rules of its own."""
