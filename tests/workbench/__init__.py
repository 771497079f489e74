"""Tests of the managers' side: claims, submissions, deadlines."""
