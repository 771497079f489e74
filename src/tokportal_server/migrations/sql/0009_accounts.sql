-- Delivered accounts after their delivery: what was paid and consented to, edit requests, codes, bans.

ALTER TABLE saved_accounts
    -- A keyed hash of the account's mail address, by which mail finds it.
    ADD COLUMN address_hash bytea,
    -- Whose media the picture is: an edit request's, or (null) the profile's that was set up.
    ADD COLUMN picture_owner_id uuid,
    ADD COLUMN owning_fee_paid_at timestamptz,
    -- Why it is banned, or why its owner's consent was taken back.
    ADD COLUMN stopped_reason text,
    -- When its owner's consent ends, or has ended by being taken back; null: nothing was noted.
    ADD COLUMN consent_ends_at timestamptz;
CREATE INDEX saved_accounts_address ON saved_accounts (address_hash) WHERE address_hash IS NOT NULL;

-- Changes of a profile that a customer asks its manager for; at most one of an account is active.
CREATE TABLE edit_requests (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    saved_account_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'rejected')),
    requested_username text NOT NULL,
    requested_visible_name text NOT NULL,
    requested_biography text,
    requested_profile_picture_url text,
    requested_link_in_bio text,
    -- What it was sold at; a free one has no entry.
    price integer NOT NULL CHECK (price >= 0),
    entry_id uuid,
    -- What the account had before and has since, by field.
    changes jsonb NOT NULL DEFAULT '[]',
    reason text,
    created_at timestamptz NOT NULL,
    accepted_at timestamptz,
    completed_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id),
    FOREIGN KEY (workspace_id, entry_id) REFERENCES credit_entries (workspace_id, id)
);
CREATE INDEX edit_requests_account ON edit_requests (workspace_id, saved_account_id);
CREATE UNIQUE INDEX edit_requests_active ON edit_requests (workspace_id, saved_account_id)
    WHERE status IN ('pending', 'in_progress');

-- Codes that platforms sent, each sealed with its sender and subject and bound to its row. Deleted
-- after 24 hours of real time. `message_digest` is null for those entered by hand.
CREATE TABLE verification_codes (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    saved_account_id uuid NOT NULL,
    message_digest bytea,
    sealed bytea NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, saved_account_id, message_digest),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
);
CREATE INDEX verification_codes_newest ON verification_codes (
    workspace_id, saved_account_id, received_at DESC, ordinal DESC
);
CREATE INDEX verification_codes_age ON verification_codes (recorded_at);

-- Accounts that their platform has banned, as an operator noted it.
CREATE TABLE account_bans (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    saved_account_id uuid NOT NULL,
    reason text NOT NULL,
    -- What was decided about the work that ended with it.
    bundles_cancelled uuid[] NOT NULL,
    credits_refunded integer NOT NULL CHECK (credits_refunded >= 0),
    banned_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, saved_account_id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
);
CREATE INDEX account_bans_newest ON account_bans (workspace_id, ordinal DESC);

-- Who let an account be used, for what, from when and until when. Kept for good, ended or not.
CREATE TABLE account_consents (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    saved_account_id uuid NOT NULL,
    owner_name text NOT NULL,
    scope text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    revoked_at timestamptz,
    revoked_reason text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id),
    CHECK (valid_until > valid_from)
);
CREATE INDEX account_consents_account ON account_consents (workspace_id, saved_account_id);

-- The vault keys that records of this installation are sealed with: a process that lacks one of them
-- does not start. `sealed` is a known text, so that the key itself is proven and not only its name.
CREATE TABLE vault_keys (
    key_id text PRIMARY KEY,
    sealed bytea NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);
