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

-- The API request log, which a workspace reads by request id: no bodies, no secrets. Written in
-- batches beside the requests, so the order is that of writing. Kept for 30 days. Request ids are the
-- callers' own if they send one, and may come again.
CREATE TABLE api_requests (
    workspace_id uuid NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    request_id text NOT NULL,
    api_key_id uuid NOT NULL,
    operation text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    query text NOT NULL,
    status integer NOT NULL,
    error_code text,
    error_message text,
    duration_ms integer NOT NULL,
    dry_run boolean NOT NULL,
    replayed boolean NOT NULL,
    idempotency_key text,
    client text,
    user_agent text,
    address text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, ordinal, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX api_requests_id ON api_requests (workspace_id, request_id);
CREATE INDEX api_requests_key ON api_requests (workspace_id, api_key_id, ordinal DESC);
CREATE INDEX api_requests_refused ON api_requests (workspace_id, ordinal DESC) WHERE status >= 400;
SELECT ensure_month_partitions('api_requests', 3);

-- People who were asked into a workspace and have not answered. Only the hash of the link's token is
-- here. An invitation that is used, taken back or made again is deleted; one that has run out soon.
CREATE TABLE workspace_invitations (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'member', 'viewer')),
    invited_by uuid REFERENCES people (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX workspace_invitations_email
    ON workspace_invitations (workspace_id, lower(email));
CREATE INDEX workspace_invitations_expiry ON workspace_invitations (expires_at);
