"""Comment tasks."""
