-- Workspaces, people, keys, admission, the journal, the outbox, idempotency.
-- Tenancy is in the keys: every table of a workspace has workspace_id first in its primary key.

-- Which texts made this schema: a revision's number alone would not tell a text that was changed
-- after it had run here. Each revision writes its own line (migrations/statements.py).
CREATE TABLE schema_texts (
    revision text PRIMARY KEY,
    sha256 text NOT NULL
);

-- Append-only tables are partitioned by the real month in which a row was written, so that retention
-- is dropping a partition. A default partition catches what no month does: a write never fails. A
-- month of which the default already holds rows stays there: PostgreSQL would refuse its partition,
-- and with it those of the months after. Answers how many partitions were made.
CREATE FUNCTION ensure_month_partitions(parent text, months_ahead integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    spare text := parent || '_default';
    made integer := 0;
    child text;
    first timestamptz;
    past timestamptz;
    strays boolean;
BEGIN
    -- Workers that come at once queue up; the lock goes with the transaction.
    PERFORM pg_advisory_xact_lock(hashtextextended('partitions:' || parent, 0));
    IF to_regclass(spare) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', spare, parent);
        made := made + 1;
    END IF;
    FOR step IN 0..months_ahead LOOP
        child := parent || '_' || to_char(this_month + make_interval(months => step), 'YYYYMM');
        CONTINUE WHEN to_regclass(child) IS NOT NULL;
        first := (this_month + make_interval(months => step)) AT TIME ZONE 'UTC';
        past := (this_month + make_interval(months => step + 1)) AT TIME ZONE 'UTC';
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE recorded_at >= $1 AND recorded_at < $2)',
                       spare) INTO strays USING first, past;
        CONTINUE WHEN strays;
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                       child, parent, first, past);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- Rows of an append-only table are facts: nobody changes them, whatever role they connect with.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '23001';
END $$;

CREATE TABLE countries (
    code text PRIMARY KEY,
    name text NOT NULL,
    aliases text[] NOT NULL,
    timezone text NOT NULL,
    enabled_for text[] NOT NULL CHECK (enabled_for <@ ARRAY['account', 'videos'])
);

-- The country that an input means: a code of ours, an ISO code or an English name, in any case
-- (contract section 5).
CREATE FUNCTION find_country(given text) RETURNS SETOF countries LANGUAGE sql STABLE AS $$
    SELECT * FROM countries
     WHERE code = upper(given) OR upper(given) = ANY (aliases) OR upper(name) = upper(given)
     ORDER BY code = upper(given) DESC LIMIT 1
$$;

CREATE TABLE platforms (
    code text PRIMARY KEY,
    name text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    video_types text[] NOT NULL,
    caption_max integer NOT NULL,
    comment_max integer NOT NULL,
    carousel_max integer NOT NULL,
    features text[] NOT NULL
);

CREATE TABLE people (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text NOT NULL,
    name text NOT NULL,
    password_hash text,
    operator boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX people_email ON people (lower(email));

CREATE TABLE workspaces (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    plan text NOT NULL DEFAULT 'starter' CHECK (plan IN ('starter', 'creator', 'full')),
    timezone text NOT NULL DEFAULT 'UTC',
    rehearsal boolean NOT NULL DEFAULT false,
    clock_offset interval NOT NULL DEFAULT interval '0',
    default_country text REFERENCES countries (code),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (rehearsal OR clock_offset = interval '0'),
    CHECK (clock_offset >= interval '0')
);

CREATE TABLE workspace_members (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    person_id uuid NOT NULL REFERENCES people (id),
    role text NOT NULL CHECK (role IN ('owner', 'member', 'viewer')),
    PRIMARY KEY (workspace_id, person_id)
);

-- A manager of a rehearsal is simulated and works for that workspace alone.
CREATE TABLE managers (
    person_id uuid PRIMARY KEY REFERENCES people (id),
    display_name text NOT NULL,
    countries text[] NOT NULL,
    platforms text[] NOT NULL,
    active boolean NOT NULL DEFAULT true,
    -- How many orders they hold at once at most; null: any number.
    capacity integer CHECK (capacity > 0),
    rehearsal_workspace_id uuid REFERENCES workspaces (id)
);

-- What the operator has stopped: everything ('all'), one workspace, or one delivered account.
CREATE TABLE kill_switches (
    scope text NOT NULL CHECK (scope IN ('all', 'workspace', 'account')),
    subject_id uuid NOT NULL,
    reason text NOT NULL,
    set_by uuid REFERENCES people (id),
    set_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, subject_id)
);

CREATE TABLE api_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL REFERENCES people (id),
    name text NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    environment text NOT NULL DEFAULT 'production'
        CHECK (environment IN ('production', 'staging', 'development', 'test')),
    scope text NOT NULL DEFAULT '*' CHECK (scope IN ('*', 'read', 'write')),
    bucket_capacity integer CHECK (bucket_capacity > 0),
    bucket_refill double precision CHECK (bucket_refill > 0),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX api_keys_hash ON api_keys (key_hash);

-- Token buckets. Unlogged: after a crash every bucket is full again, which costs nobody anything.
CREATE UNLOGGED TABLE buckets (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    tokens double precision NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, kind, subject_id)
) WITH (fillfactor = 50);

-- Take `cost` tokens (0 only looks). `allowed` says whether there were enough; a refusal takes none.
CREATE FUNCTION take_token(
    p_workspace uuid, p_kind text, p_subject uuid, p_cost double precision,
    p_capacity double precision, p_refill double precision,
    OUT allowed boolean, OUT remaining double precision, OUT full_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    level double precision;
BEGIN
    INSERT INTO buckets AS b (workspace_id, kind, subject_id, tokens, updated_at)
    VALUES (p_workspace, p_kind, p_subject, p_capacity, moment)
    ON CONFLICT (workspace_id, kind, subject_id) DO NOTHING;
    SELECT LEAST(p_capacity, b.tokens
                 + GREATEST(0, extract(epoch FROM clock_timestamp() - b.updated_at)) * p_refill)
      INTO level
      FROM buckets b
     WHERE b.workspace_id = p_workspace AND b.kind = p_kind AND b.subject_id = p_subject
       FOR UPDATE;
    -- The moment is read again: waiting for the lock may have taken a while.
    moment := clock_timestamp();
    allowed := level >= GREATEST(p_cost, 1);
    remaining := CASE WHEN allowed THEN level - p_cost ELSE level END;
    full_at := moment + make_interval(secs => (p_capacity - remaining) / p_refill);
    UPDATE buckets b SET tokens = remaining, updated_at = moment
     WHERE b.workspace_id = p_workspace AND b.kind = p_kind AND b.subject_id = p_subject;
END $$;

-- Everything that a request must know about its caller, in one round trip: who, which scope, which
-- clock, how many tokens are left. `outcome` is ok, unknown, revoked, expired or limited.
CREATE FUNCTION admit(
    p_hash bytea, p_cost double precision,
    p_default_capacity double precision, p_default_refill double precision,
    OUT outcome text, OUT workspace_id uuid, OUT key_id uuid, OUT person_id uuid, OUT scope text,
    OUT clock_offset interval, OUT real_now timestamptz,
    OUT bucket_limit double precision, OUT remaining double precision, OUT full_at timestamptz,
    OUT refill double precision
) LANGUAGE plpgsql AS $$
DECLARE
    k api_keys%ROWTYPE;
    taken record;
BEGIN
    real_now := clock_timestamp();
    SELECT a.* INTO k FROM api_keys a WHERE a.key_hash = p_hash;
    IF NOT FOUND THEN outcome := 'unknown'; RETURN; END IF;
    IF k.revoked_at IS NOT NULL THEN outcome := 'revoked'; RETURN; END IF;
    IF k.expires_at <= real_now THEN outcome := 'expired'; RETURN; END IF;
    workspace_id := k.workspace_id;
    key_id := k.id;
    person_id := k.person_id;
    scope := k.scope;
    SELECT w.clock_offset INTO clock_offset FROM workspaces w WHERE w.id = k.workspace_id;
    bucket_limit := COALESCE(k.bucket_capacity, p_default_capacity);
    refill := COALESCE(k.bucket_refill, p_default_refill);
    IF p_cost > 0 THEN
        SELECT * INTO taken
          FROM take_token(k.workspace_id, 'key', k.id, p_cost, bucket_limit, refill);
        remaining := taken.remaining;
        full_at := taken.full_at;
        outcome := CASE WHEN taken.allowed THEN 'ok' ELSE 'limited' END;
        -- Last use is a courtesy to the reader: fresh to ten seconds, without a write per request.
        IF k.last_used_at IS NULL OR k.last_used_at < real_now - interval '10 seconds' THEN
            UPDATE api_keys a SET last_used_at = real_now
             WHERE a.workspace_id = k.workspace_id AND a.id = k.id;
        END IF;
    ELSE
        outcome := 'ok';
    END IF;
END $$;

-- One row per object and status: totals of lists without counting rows.
CREATE TABLE counters (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    kind text NOT NULL,
    status text NOT NULL,
    n bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, kind, status)
) WITH (fillfactor = 70);

-- Every change of a status, written by the one door. `at` is the workspace's clock.
CREATE TABLE journal (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    object_id uuid NOT NULL,
    root_id uuid NOT NULL,
    from_status text,
    to_status text NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    reason text,
    at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX journal_root ON journal (workspace_id, root_id, ordinal);
CREATE INDEX journal_object ON journal (workspace_id, object_id, ordinal);
SELECT ensure_month_partitions('journal', 3);
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What people did that must be answered for. Acts that concern the whole installation have the nil
-- UUID as their workspace. Kept for two years.
CREATE TABLE audit (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid,
    actor_kind text NOT NULL,
    actor_id uuid,
    -- Where they acted from, if that is known: a network address, or the command line.
    address text,
    reason text,
    details jsonb NOT NULL DEFAULT '{}',
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX audit_newest ON audit (workspace_id, ordinal DESC);
CREATE INDEX audit_subject ON audit (workspace_id, subject_id, ordinal DESC);
-- Operators read all of it, from its end or one kind of act.
CREATE INDEX audit_end ON audit (ordinal DESC);
CREATE INDEX audit_action ON audit (action, ordinal DESC);
SELECT ensure_month_partitions('audit', 3);
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The outbox. `sequence` is gap-free per workspace: it is taken last in the transaction.
CREATE TABLE event_sequences (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces (id),
    last bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE events (
    workspace_id uuid NOT NULL,
    sequence bigint NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    dispatched_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- The span that emitted it, if that was traced.
    traceparent text,
    PRIMARY KEY (workspace_id, sequence, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX events_waiting ON events (recorded_at) WHERE dispatched_at IS NULL;
CREATE INDEX events_id ON events (workspace_id, id);
SELECT ensure_month_partitions('events', 3);

-- Moves of a rehearsal's clock: under way until lease_until, by at most one call at a time. The
-- target is decided once for an idempotency key, so that a call which was cut short and is sent
-- again goes to where it was going. Rows are deleted after a day, as answers are.
CREATE TABLE clock_advances (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    key text NOT NULL,
    distance interval NOT NULL,
    target timestamptz,
    lease_until timestamptz NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, key)
);

-- What a transaction has to tell, in one round trip and in the order of locks: the journal (none),
-- the counters by their keys, last the sequence of the events. Each array may be empty.
CREATE FUNCTION write_changes(
    p_workspace uuid, p_journal jsonb, p_kinds text[], p_statuses text[], p_deltas bigint[],
    p_event_ids text[], p_types text[], p_data jsonb[], p_times timestamptz[], p_traceparent text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    due integer := cardinality(p_event_ids);
    taken bigint;
BEGIN
    INSERT INTO journal (workspace_id, kind, object_id, root_id, from_status, to_status,
                         actor_kind, actor_id, reason, at)
    SELECT p_workspace, r.kind, r.object_id, r.root_id, r.from_status, r.to_status,
           r.actor_kind, r.actor_id, r.reason, r.at
      FROM ROWS FROM (jsonb_to_recordset(p_journal)
                      AS (kind text, object_id uuid, root_id uuid, from_status text, to_status text,
                          actor_kind text, actor_id uuid, reason text, at timestamptz))
           WITH ORDINALITY AS r(kind, object_id, root_id, from_status, to_status, actor_kind,
                                actor_id, reason, at, n)
     ORDER BY r.n;
    INSERT INTO counters AS c (workspace_id, kind, status, n)
    SELECT p_workspace, r.kind, r.status, r.n
      FROM unnest(p_kinds, p_statuses, p_deltas) AS r(kind, status, n)
     ORDER BY r.kind, r.status
    ON CONFLICT (workspace_id, kind, status) DO UPDATE SET n = c.n + excluded.n;
    IF due = 0 THEN RETURN; END IF;
    INSERT INTO event_sequences AS s (workspace_id, last) VALUES (p_workspace, due)
    ON CONFLICT (workspace_id) DO UPDATE SET last = s.last + excluded.last
    RETURNING last INTO taken;
    INSERT INTO events (workspace_id, sequence, id, type, data, created_at, traceparent)
    SELECT p_workspace, taken - due + e.n, e.id, e.type, e.data, e.created_at, p_traceparent
      FROM unnest(p_event_ids, p_types, p_data, p_times)
           WITH ORDINALITY AS e(id, type, data, created_at, n);
END $$;

-- Answers kept for replay. A key is held by an advisory lock while its first call runs; calls with
-- effects outside the database hold a lease instead (lease_until, lease_token) until they are done.
CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    api_key_id uuid,
    status integer,
    body bytea,
    sealed boolean NOT NULL DEFAULT false,
    content_type text,
    -- Whose secrets a sealed answer holds: they go when that thing ends.
    subject_id uuid,
    lease_token uuid,
    lease_until timestamptz,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_subject ON idempotency_keys (workspace_id, subject_id)
    WHERE subject_id IS NOT NULL;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
