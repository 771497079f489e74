-- Proofs of finalized slots, and the key that signs them.

-- The private key of the newest row signs; older ones are kept for what they have signed.
CREATE TABLE proof_keys (
    public_key text PRIMARY KEY CHECK (public_key ~ '^[0-9a-f]{64}$'),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Written once, when the slot is finalized, and kept as long as the slot: what it proves may be asked
-- for years later.
CREATE TABLE slot_proofs (
    workspace_id uuid NOT NULL,
    slot_id uuid NOT NULL,
    document bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, slot_id),
    FOREIGN KEY (workspace_id, slot_id) REFERENCES slots (workspace_id, id)
);
CREATE TRIGGER slot_proofs_append_only BEFORE UPDATE OR DELETE ON slot_proofs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
