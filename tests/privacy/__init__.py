"""Erasing and exporting what belongs to a workspace or a person."""
