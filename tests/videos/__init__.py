"""Tests of the slots: their contents, dates, options and publishing."""
