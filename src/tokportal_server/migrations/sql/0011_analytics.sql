-- Analytics (contract section 11): what was seen, the latest of it, and its daily rollups.

-- 1. Store and reads.

-- Posts whose numbers are collected: those of finalized slots, and those that a refresh has found.
-- The latest numbers stand on the row, so that lists never touch snapshots; `meta` has, for each
-- metric, source and time, or the reason why there is none. Kept as long as the account.
CREATE TABLE tracked_posts (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    saved_account_id uuid NOT NULL,
    slot_id uuid,
    -- What its addresses have in common (orders/post_urls.py).
    post_key text NOT NULL,
    -- The platform's own id, once a provider has named it.
    platform_post_id text,
    platform_url text NOT NULL,
    description text,
    published_at timestamptz,
    -- Whether it was there before anybody looked: then its first numbers are no gain of ours.
    imported boolean NOT NULL,
    views bigint CHECK (views >= 0),
    likes bigint CHECK (likes >= 0),
    comments bigint CHECK (comments >= 0),
    shares bigint CHECK (shares >= 0),
    bookmarks bigint CHECK (bookmarks >= 0),
    meta jsonb NOT NULL DEFAULT '{}',
    -- The first and the last reading; of two at one time the later source by name is the last.
    first_read_at timestamptz,
    read_at timestamptz,
    read_source text,
    tracked_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, saved_account_id, post_key),
    UNIQUE (workspace_id, saved_account_id, platform_post_id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id),
    FOREIGN KEY (workspace_id, slot_id) REFERENCES slots (workspace_id, id)
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX tracked_posts_slot ON tracked_posts (workspace_id, slot_id)
    WHERE slot_id IS NOT NULL;
CREATE INDEX tracked_posts_newest ON tracked_posts (workspace_id, ordinal DESC);

-- What was read, and in which words of the provider (`payload`, zlib). `collected_at` is the
-- workspace's clock. One reading of a source at one time is there once; the row of `account_latest`
-- is the lock under which that is made sure of.
CREATE TABLE post_snapshots (
    workspace_id uuid NOT NULL,
    tracked_post_id uuid NOT NULL,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    views bigint,
    likes bigint,
    comments bigint,
    shares bigint,
    bookmarks bigint,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, tracked_post_id, collected_at, source, recorded_at)
) PARTITION BY RANGE (recorded_at);
-- The bytes are compressed already.
ALTER TABLE post_snapshots ALTER COLUMN payload SET STORAGE EXTERNAL;
SELECT ensure_month_partitions('post_snapshots', 3);
CREATE TRIGGER post_snapshots_append_only BEFORE UPDATE OR DELETE ON post_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE account_snapshots (
    workspace_id uuid NOT NULL,
    saved_account_id uuid NOT NULL,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    followers bigint,
    following bigint,
    posts bigint,
    views bigint,
    likes bigint,
    comments bigint,
    shares bigint,
    bookmarks bigint,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, saved_account_id, collected_at, source, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER TABLE account_snapshots ALTER COLUMN payload SET STORAGE EXTERNAL;
SELECT ensure_month_partitions('account_snapshots', 3);
CREATE TRIGGER account_snapshots_append_only BEFORE UPDATE OR DELETE ON account_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The latest numbers of an account: its own (followers, following, posts), and the sums over its
-- tracked posts. `engagements` and `engaged_views` are of posts whose likes, comments, shares and
-- views are all known. `begun` is the first day of each metric that has any number.
CREATE TABLE account_latest (
    workspace_id uuid NOT NULL,
    saved_account_id uuid NOT NULL,
    followers bigint,
    following bigint,
    posts bigint,
    views bigint,
    likes bigint,
    comments bigint,
    shares bigint,
    bookmarks bigint,
    engagements bigint,
    engaged_views bigint,
    tracked_posts integer NOT NULL DEFAULT 0,
    meta jsonb NOT NULL DEFAULT '{}',
    begun jsonb NOT NULL DEFAULT '{}',
    -- The last reading of the account itself, and of anything of it.
    read_at timestamptz,
    read_source text,
    collected_at timestamptz,
    PRIMARY KEY (workspace_id, saved_account_id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
) WITH (fillfactor = 60);

-- What the readings of a day have changed, in parts that can be added up: over days they make the
-- value (baseline + gain - fall), over accounts a workspace. `seen` is the sum of the values that
-- were read last on that day. A row is there if anything was read. Rollups outlive the snapshots.
CREATE TABLE account_days (
    workspace_id uuid NOT NULL,
    saved_account_id uuid NOT NULL,
    metric text NOT NULL,
    day date NOT NULL,
    baseline bigint NOT NULL,
    gain bigint NOT NULL,
    fall bigint NOT NULL,
    seen bigint NOT NULL,
    PRIMARY KEY (workspace_id, saved_account_id, metric, day)
) WITH (fillfactor = 90);

CREATE TABLE workspace_days (
    workspace_id uuid NOT NULL,
    metric text NOT NULL,
    day date NOT NULL,
    platform text NOT NULL,
    country text NOT NULL,
    baseline bigint NOT NULL,
    gain bigint NOT NULL,
    fall bigint NOT NULL,
    seen bigint NOT NULL,
    accounts_seen integer NOT NULL,
    PRIMARY KEY (workspace_id, metric, day, platform, country)
) WITH (fillfactor = 70);

-- Comments under tracked posts, as they were last read. Deleted after their retention.
CREATE TABLE post_comments (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    tracked_post_id uuid NOT NULL,
    platform_comment_id text NOT NULL,
    author_handle text NOT NULL,
    text text NOT NULL,
    like_count bigint,
    reply_count bigint,
    posted_at timestamptz,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, tracked_post_id, platform_comment_id),
    FOREIGN KEY (workspace_id, tracked_post_id) REFERENCES tracked_posts (workspace_id, id)
);
CREATE INDEX post_comments_age ON post_comments (recorded_at);

-- 2. Providers and refreshes.

-- Accounts that their platform's API may be asked about. `sealed` holds the tokens, bound to the row;
-- one process at a time exchanges them (renew_until), for each exchange may void the one before.
-- `broken_reason`: the platform takes them no longer. Deleted when somebody disconnects the account.
CREATE TABLE analytics_connections (
    workspace_id uuid NOT NULL,
    saved_account_id uuid NOT NULL,
    provider text NOT NULL CHECK (provider IN ('tiktok_api', 'instagram_api')),
    platform_user_id text NOT NULL,
    username text NOT NULL,
    scopes text[] NOT NULL,
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    refresh_expires_at timestamptz,
    broken_reason text,
    renew_token uuid,
    renew_until timestamptz,
    connected_by uuid NOT NULL REFERENCES people (id),
    connected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, saved_account_id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
);

-- Sign-ins at a platform that somebody has begun: found again by what the platform sends back.
-- Deleted when they are finished, or soon after they have expired.
CREATE TABLE analytics_sign_ins (
    workspace_id uuid NOT NULL,
    state_hash bytea NOT NULL CHECK (octet_length(state_hash) = 32),
    saved_account_id uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES people (id),
    provider text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, state_hash),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
);
CREATE INDEX analytics_sign_ins_person ON analytics_sign_ins (person_id);
CREATE INDEX analytics_sign_ins_account ON analytics_sign_ins (workspace_id, saved_account_id);
CREATE INDEX analytics_sign_ins_expiry ON analytics_sign_ins (expires_at);

-- Refreshes of each account: the last one asked for (the cooldown counts from it), the last one at
-- all, when the next is due, and the one under way. Times are the workspace's clock, but the lease.
CREATE TABLE analytics_refreshes (
    workspace_id uuid NOT NULL,
    saved_account_id uuid NOT NULL,
    asked_at timestamptz,
    refreshed_at timestamptz,
    due_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    failure_reason text,
    lease_token uuid,
    lease_until timestamptz,
    -- Whether the one under way counts towards the quota.
    lease_counts boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace_id, saved_account_id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
) WITH (fillfactor = 70);
CREATE INDEX analytics_refreshes_due ON analytics_refreshes (due_at);

-- How many refreshes of a workspace were asked for in a month of its clock; kept for good.
CREATE TABLE analytics_quotas (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    month date NOT NULL,
    used integer NOT NULL DEFAULT 0 CHECK (used >= 0),
    PRIMARY KEY (workspace_id, month)
);

-- Providers that are not called for a while, because they said so.
CREATE TABLE provider_pauses (
    provider text PRIMARY KEY,
    until timestamptz NOT NULL,
    reason text NOT NULL
);

-- 3. Reports.

-- Reports that were made: everything that they show (`content`, JSON as zlib), so that later numbers
-- change nothing. Only the hash of the token in their address is kept. `expires_at` is the
-- workspace's clock. The content goes as soon as a report is revoked or over, the row ninety days
-- after that.
CREATE TABLE analytics_reports (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    title text NOT NULL,
    template text NOT NULL,
    content bytea,
    actor_kind text NOT NULL,
    actor_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, token_hash)
);
-- The bytes are compressed already.
ALTER TABLE analytics_reports ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX analytics_reports_expiry ON analytics_reports (expires_at);
CREATE INDEX analytics_reports_newest ON analytics_reports (workspace_id, created_at DESC);
