"""Reports: one test file per part."""
