"""The managers' writes: one operation a file."""
