"""Tests of uploads: what becomes of media on its way in."""
