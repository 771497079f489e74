"""The suite: one package a slice, one file a fact or an operation."""
