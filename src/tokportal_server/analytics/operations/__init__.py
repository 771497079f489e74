"""One file per operation of analytics that writes."""
