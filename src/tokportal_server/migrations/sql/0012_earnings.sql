-- What managers are owed. Amounts are whole minor units (cents) of a currency; all times are real.

-- What one finished job pays from a time on; the rate that names most of country and platform
-- counts. An amount of null ends such an exception. Rates are kept for good.
CREATE TABLE earning_rates (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('account_setup', 'video', 'video_edit', 'story', 'comment',
                                       'profile_edit')),
    country text REFERENCES countries (code),
    platform text REFERENCES platforms (code),
    valid_from timestamptz NOT NULL,
    amount integer CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason text,
    set_by uuid REFERENCES people (id),
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    CHECK (amount IS NOT NULL OR country IS NOT NULL OR platform IS NOT NULL)
);
CREATE INDEX earning_rates_of_kind ON earning_rates (kind, valid_from DESC, ordinal DESC);

-- The books of the managers: one row for each finished job, at most one that takes it back, and what
-- an operator added or took away. A job's workspace is its order's; an adjustment has the nil UUID.
-- `month` is the statement that has the row. Kept for good.
CREATE TABLE earnings (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    manager_id uuid NOT NULL REFERENCES managers (person_id),
    month date NOT NULL CHECK (date_trunc('month', month) = month),
    type text NOT NULL CHECK (type IN ('job', 'reversal', 'adjustment')),
    kind text CHECK (kind IN ('account_setup', 'video', 'video_edit', 'story', 'comment',
                              'profile_edit')),
    -- The profile, slot, comment task or edit request, and the order or debit that paid for it.
    job_id uuid,
    bundle_id uuid,
    -- The job in words, as they were when it was finished.
    subject text NOT NULL,
    country text,
    platform text,
    amount integer NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason text,
    made_by uuid REFERENCES people (id),
    -- When the job was finished, or the row decided about.
    at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    CHECK ((type = 'adjustment') = (job_id IS NULL)),
    CHECK ((kind IS NULL) = (job_id IS NULL)),
    CHECK (type <> 'job' OR amount >= 0),
    CHECK (type <> 'reversal' OR amount <= 0),
    CHECK (type = 'job' OR reason IS NOT NULL)
);
-- A job is finished once and taken back once, however often it is told of.
CREATE UNIQUE INDEX earnings_once ON earnings (workspace_id, job_id, kind, type)
    WHERE job_id IS NOT NULL;
CREATE INDEX earnings_bundle ON earnings (workspace_id, bundle_id) WHERE bundle_id IS NOT NULL;
CREATE INDEX earnings_of_manager ON earnings (manager_id, month, ordinal);
CREATE INDEX earnings_by_month ON earnings (month, manager_id);
CREATE TRIGGER earnings_append_only BEFORE UPDATE OR DELETE ON earnings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What was said about the statement of a month; without a row nothing was. Kept for good.
CREATE TABLE earning_statements (
    manager_id uuid NOT NULL REFERENCES managers (person_id),
    month date NOT NULL CHECK (date_trunc('month', month) = month),
    status text NOT NULL CHECK (status IN ('open', 'agreed', 'disputed', 'settled')),
    -- The manager's words to a dispute, and the operator's to what was settled.
    note text,
    answer text,
    answered_at timestamptz,
    settled_at timestamptz,
    settled_by uuid REFERENCES people (id),
    PRIMARY KEY (manager_id, month)
);
CREATE INDEX earning_statements_open ON earning_statements (month, status);

-- What managers' pages look for over all workspaces: comments to write, and their own accounts.
CREATE INDEX comment_tasks_to_write ON comment_tasks (due_at)
    WHERE status IN ('pending', 'pending_corrections') AND NOT with_operator;
CREATE INDEX edit_requests_open ON edit_requests (created_at)
    WHERE status IN ('pending', 'in_progress');
CREATE INDEX saved_accounts_manager ON saved_accounts (manager_id) WHERE manager_id IS NOT NULL;
