-- People at the pages: who is signed in, and the links by which they choose a password. Both belong
-- to a person, who may be in several workspaces. All times are real ones.

-- The cookie's token is not here, only its hash. Rows are deleted soon after they have ended.
CREATE TABLE person_sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL REFERENCES people (id),
    user_agent text NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX person_sessions_person ON person_sessions (person_id);
CREATE INDEX person_sessions_expiry ON person_sessions (expires_at);

-- A link works once, and choosing a password voids all others of that person.
CREATE TABLE person_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    person_id uuid NOT NULL REFERENCES people (id),
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'password_reset')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX person_links_person ON person_links (person_id);
CREATE INDEX person_links_expiry ON person_links (expires_at);

-- What a customer must see to on the first page; both are rare, so the indexes are small.
CREATE INDEX slots_media_failed ON slots (workspace_id, bundle_id) WHERE media_status = 'failed';
CREATE INDEX slots_download_issue ON slots (workspace_id, bundle_id)
    WHERE download_issue IS NOT NULL;
