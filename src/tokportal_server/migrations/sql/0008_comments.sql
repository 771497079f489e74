-- Comment tasks: what a manager writes under somebody's post, and how it was looked for.

CREATE TABLE comment_tasks (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    saved_account_id uuid NOT NULL,
    platform text NOT NULL REFERENCES platforms (code),
    target_video_url text NOT NULL,
    -- What all addresses of the post have in common.
    target_post text NOT NULL,
    target_author_handle text,
    comment_text text NOT NULL,
    brief_id text,
    status text NOT NULL CHECK (status IN ('pending', 'submitted', 'verified_auto',
                                           'manually_confirmed', 'pending_corrections',
                                           'finalized', 'cancelled')),
    -- What it was sold at; many tasks of one call share their entry, and free ones have none.
    price integer NOT NULL CHECK (price >= 0),
    entry_id uuid,
    manager_id uuid REFERENCES managers (person_id),
    comment_id text,
    comment_url text,
    -- What has to be mended, as the verification or the customer said it last.
    correction text,
    disputes integer NOT NULL DEFAULT 0 CHECK (disputes BETWEEN 0 AND 3),
    with_operator boolean NOT NULL DEFAULT false,
    -- All attempts, and those since the task came into its status.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    looks integer NOT NULL DEFAULT 0 CHECK (looks >= 0),
    -- When the status ends by itself, and when the platform is looked at next.
    due_at timestamptz,
    look_at timestamptz,
    submitted_at timestamptz,
    verified_at timestamptz,
    manually_confirmed_at timestamptz,
    client_dispute_deadline_at timestamptz,
    finalized_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id),
    FOREIGN KEY (workspace_id, entry_id) REFERENCES credit_entries (workspace_id, id)
);
CREATE INDEX comment_tasks_newest ON comment_tasks (workspace_id, ordinal DESC);
CREATE INDEX comment_tasks_by_status ON comment_tasks (workspace_id, status, ordinal DESC);
CREATE INDEX comment_tasks_account ON comment_tasks (workspace_id, saved_account_id, ordinal DESC);
CREATE INDEX comment_tasks_recent ON comment_tasks (workspace_id, created_at);
CREATE INDEX comment_tasks_due ON comment_tasks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX comment_tasks_id ON comment_tasks (id);
CREATE INDEX comment_tasks_disputed ON comment_tasks (updated_at) WHERE with_operator;
CREATE INDEX comment_tasks_to_look_for ON comment_tasks (look_at) WHERE look_at IS NOT NULL;

-- One row for each look at the platform; kept as long as the task is.
CREATE TABLE comment_verifications (
    workspace_id uuid NOT NULL,
    task_id uuid NOT NULL,
    attempt_n integer NOT NULL CHECK (attempt_n >= 1),
    scraped_at timestamptz NOT NULL,
    outcome_kind text NOT NULL CHECK (outcome_kind IN ('verified', 'wrong_text', 'wrong_account',
                                                       'couldnt_verify', 'scrape_failed')),
    match_score double precision CHECK (match_score BETWEEN 0 AND 1),
    found_comment_id text,
    reason text,
    comments_scraped integer NOT NULL CHECK (comments_scraped >= 0),
    PRIMARY KEY (workspace_id, task_id, attempt_n),
    FOREIGN KEY (workspace_id, task_id) REFERENCES comment_tasks (workspace_id, id)
);
