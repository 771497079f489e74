"""The commands as real processes: starting, serving, crashing, stopping."""
