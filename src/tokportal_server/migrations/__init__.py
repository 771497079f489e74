"""The schema's history: each revision is one plain SQL text beside its Alembic stub."""
