-- Webhook endpoints, the bodies sent to them, and their deliveries, one row per attempt.
-- Whoever claims, records or skips a delivery holds its endpoint's row, so that the caps of an
-- endpoint are exact over any number of workers (docs/decisions/0004-webhook-delivery.md).

CREATE TABLE webhook_endpoints (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    url text NOT NULL,
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    description text,
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text,
    secret_sealed bytea NOT NULL,
    consecutive_failures integer NOT NULL DEFAULT 0,
    -- The first failure since the last success, and until when nothing is sent: an open breaker, or
    -- what the receiver asked for. Both are the workspace's clock.
    first_failure_at timestamptz,
    hold_until timestamptz,
    -- When the owners were told of this run of failures, before it ends the endpoint.
    warned_at timestamptz,
    last_delivery_at timestamptz,
    -- The last event there was when the endpoint was made: it is told of those that follow.
    after_sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, url),
    CHECK (NOT enabled OR disabled_reason IS NULL)
);

-- The very bytes that are signed and sent, once per event that somebody subscribed to.
CREATE TABLE webhook_payloads (
    workspace_id uuid NOT NULL,
    event_id text NOT NULL,
    body bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- What the attempts to deliver it belong to, if the event was traced.
    traceparent text,
    PRIMARY KEY (workspace_id, event_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
-- Rows come in the order of their time, so a few pages tell where those past theirs end.
CREATE INDEX webhook_payloads_age ON webhook_payloads USING brin (recorded_at);
SELECT ensure_month_partitions('webhook_payloads', 3);

-- due_at, next_attempt_at, created_at and finished_at are the workspace's clock; lease_until and
-- recorded_at are real time.
CREATE TABLE webhook_deliveries (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    endpoint_id uuid NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    url text NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0),
    status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed', 'skipped_disabled')),
    due_at timestamptz NOT NULL,
    lease_token uuid,
    lease_until timestamptz,
    response_status integer,
    response_body text,
    error_class text CHECK (error_class IN ('dns', 'refused', 'timeout', 'tls', 'status', 'blocked')),
    duration_ms integer,
    next_attempt_at timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- Asked for by a person or a program: one attempt, that no other follows. With an idempotency
    -- key, the key: a test that is taken over is sent with the same event id.
    manual boolean NOT NULL DEFAULT false,
    request_key text,
    -- What a rehearsal asked to go wrong with this delivery.
    fault text CHECK (fault IN ('slow', 'twice', 'out_of_order', 'wrong_signature')),
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id, recorded_at),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (lease_token IS NULL OR status = 'pending')
) PARTITION BY RANGE (recorded_at);
-- What waits, and what is in flight: two small indexes however long the log grows.
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (workspace_id, endpoint_id, due_at, ordinal)
    WHERE status = 'pending' AND lease_token IS NULL;
CREATE INDEX webhook_deliveries_in_flight ON webhook_deliveries (workspace_id, endpoint_id, lease_until)
    WHERE status = 'pending' AND lease_token IS NOT NULL;
-- The log, whole and by each of its filters, so that a first page reads a page and not the log.
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (workspace_id, endpoint_id, ordinal DESC);
CREATE INDEX webhook_deliveries_of_type
    ON webhook_deliveries (workspace_id, endpoint_id, event_type, ordinal DESC);
CREATE INDEX webhook_deliveries_unsuccessful
    ON webhook_deliveries (workspace_id, endpoint_id, ordinal DESC)
    WHERE status IN ('failed', 'skipped_disabled');
CREATE INDEX webhook_deliveries_manual ON webhook_deliveries (workspace_id, endpoint_id, event_id)
    WHERE manual;
SELECT ensure_month_partitions('webhook_deliveries', 3);

-- How many attempts an endpoint has of each type and status, as changes to be added up: whoever
-- writes attempts adds rows of its own and waits for nobody. A loop folds them together.
CREATE TABLE webhook_tallies (
    workspace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    event_type text NOT NULL,
    status text NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (workspace_id, endpoint_id, ordinal)
);
CREATE FUNCTION tally_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_tallies (workspace_id, endpoint_id, event_type, status, n)
    SELECT workspace_id, endpoint_id, event_type, status, count(*)
      FROM added GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;
CREATE FUNCTION tally_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_tallies (workspace_id, endpoint_id, event_type, status, n)
    SELECT workspace_id, endpoint_id, event_type, status, sum(n)
      FROM (SELECT workspace_id, endpoint_id, event_type, status, 1 AS n FROM after_change
            UNION ALL
            SELECT workspace_id, endpoint_id, event_type, status, -1 FROM before_change) AS moved
     GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0;
    RETURN NULL;
END $$;
CREATE FUNCTION tally_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_tallies (workspace_id, endpoint_id, event_type, status, n)
    SELECT workspace_id, endpoint_id, event_type, status, -count(*)
      FROM removed GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_deliveries_added AFTER INSERT ON webhook_deliveries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tally_added();
CREATE TRIGGER webhook_deliveries_changed AFTER UPDATE ON webhook_deliveries
    REFERENCING OLD TABLE AS before_change NEW TABLE AS after_change
    FOR EACH STATEMENT EXECUTE FUNCTION tally_changed();
CREATE TRIGGER webhook_deliveries_removed AFTER DELETE ON webhook_deliveries
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION tally_removed();

-- Drop the months of a table that lie wholly further back than `keep`; answers how many there were.
-- Attempts that go are taken off their endpoints' tallies.
CREATE FUNCTION drop_old_partitions(parent text, keep interval) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    child text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('partitions:' || parent, 0));
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = parent::regclass AND c.relname ~ '_[0-9]{6}$'
           AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month'
               <= (now() - keep) AT TIME ZONE 'UTC'
    LOOP
        IF parent = 'webhook_deliveries' THEN
            EXECUTE format('INSERT INTO webhook_tallies (workspace_id, endpoint_id, event_type,
                                                         status, n)
                            SELECT workspace_id, endpoint_id, event_type, status, -count(*)
                              FROM %I GROUP BY 1, 2, 3, 4', child);
        END IF;
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

-- What a rehearsal's owner asked to go wrong with an endpoint's next deliveries.
CREATE TABLE webhook_faults (
    workspace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    fault text NOT NULL CHECK (fault IN ('slow', 'twice', 'out_of_order', 'wrong_signature')),
    remaining integer NOT NULL CHECK (remaining > 0),
    PRIMARY KEY (workspace_id, endpoint_id),
    FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints (workspace_id, id)
        ON DELETE CASCADE
);

-- What people should know, told once each (`subject` names the fact); deleted half a year later.
-- `about` is what the notice leads to, `created_at` is the workspace's clock.
CREATE TABLE notices (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    person_id uuid NOT NULL REFERENCES people (id),
    kind text NOT NULL,
    subject text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    topic text NOT NULL,
    text text NOT NULL,
    about jsonb NOT NULL DEFAULT '{}',
    on_page boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    mailed_at timestamptz,
    told_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, person_id, kind, subject)
);
CREATE INDEX notices_of_person ON notices (person_id, told_at DESC, id) WHERE on_page;
CREATE INDEX notices_unread ON notices (person_id) WHERE on_page AND read_at IS NULL;
CREATE INDEX notices_age ON notices (told_at);

-- Records attempts that succeeded and that nothing follows: what webhooks/record.py does for attempts
-- of every kind, for those that need no decision. Locks endpoints in the order of their keys, and
-- changes only attempts that still have the lease they were claimed with.
CREATE FUNCTION record_webhook_successes(
    p_workspaces uuid[], p_endpoints uuid[], p_ids uuid[], p_recorded timestamptz[], p_tokens uuid[],
    p_statuses integer[], p_bodies text[], p_durations integer[], p_breaker integer
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM webhook_endpoints e
      WHERE (e.workspace_id, e.id) IN (SELECT * FROM unnest(p_workspaces, p_endpoints))
      ORDER BY e.workspace_id, e.id
        FOR NO KEY UPDATE;
    -- On its own, so that the planner goes from the few attempts to their rows and not from the
    -- workspaces to all that they ever had.
    WITH ours AS MATERIALIZED (
        SELECT r.*, now() + w.clock_offset AS now
          FROM unnest(p_workspaces, p_ids, p_recorded, p_tokens, p_statuses, p_bodies, p_durations)
               AS r(workspace_id, id, recorded_at, lease_token, response_status, response_body,
                    duration_ms)
          JOIN workspaces w ON w.id = r.workspace_id
    ), finished AS (
        UPDATE webhook_deliveries d
           SET status = 'succeeded', response_status = r.response_status,
               response_body = r.response_body, error_class = NULL, duration_ms = r.duration_ms,
               finished_at = r.now, lease_token = NULL, lease_until = NULL
          FROM ours r
         WHERE d.workspace_id = r.workspace_id AND d.id = r.id AND d.recorded_at = r.recorded_at
           AND d.lease_token = r.lease_token
        RETURNING d.workspace_id, d.endpoint_id, d.finished_at
    )
    UPDATE webhook_endpoints e
       SET hold_until = CASE WHEN e.consecutive_failures < p_breaker THEN e.hold_until END,
           consecutive_failures = 0, first_failure_at = NULL, warned_at = NULL,
           last_delivery_at = f.now
      FROM (SELECT workspace_id, endpoint_id, max(finished_at) AS now
              FROM finished GROUP BY workspace_id, endpoint_id) AS f
     WHERE e.workspace_id = f.workspace_id AND e.id = f.endpoint_id;
END $$;

-- Claims at most p_most due deliveries, with a cap per endpoint that holds over any number of workers;
-- webhooks/claim.py says how. Each statement sees what others committed before it (READ COMMITTED).
-- Before it, the successes of the last turn are recorded, in the same round trip and transaction.
CREATE FUNCTION claim_webhook_deliveries(
    p_most integer, p_token uuid, p_lease interval,
    p_max_attempts integer, p_breaker integer, p_cap integer,
    p_workspaces uuid[], p_endpoints uuid[], p_ids uuid[], p_recorded timestamptz[], p_tokens uuid[],
    p_statuses integer[], p_bodies text[], p_durations integer[]
) RETURNS TABLE (
    workspace_id uuid, id uuid, recorded_at timestamptz, endpoint_id uuid, event_id text,
    event_type text, attempt integer, url text, lease_token uuid, manual boolean, fault text,
    secret_sealed bytea, body bytea, traceparent text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    workspaces_locked uuid[];
    endpoints_locked uuid[];
BEGIN
    -- What a crash of the machine takes back in the last half second is done again: nobody waits
    -- for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    IF cardinality(p_ids) > 0 THEN
        PERFORM record_webhook_successes(p_workspaces, p_endpoints, p_ids, p_recorded, p_tokens,
                                         p_statuses, p_bodies, p_durations, p_breaker);
    END IF;
    -- A worker that died between the call and the record leaves no answer: the attempt is counted
    -- as one that nobody saw end in time, so that a delivery which kills its worker ends too. One
    -- that somebody asked for is over: whoever asked makes another.
    WITH lapsed AS (
        SELECT d.workspace_id, d.id, d.recorded_at, e.enabled, now() + w.clock_offset AS now,
               d.manual OR d.attempt >= p_max_attempts AS over
          FROM webhook_deliveries d
          JOIN webhook_endpoints e ON e.workspace_id = d.workspace_id AND e.id = d.endpoint_id
          JOIN workspaces w ON w.id = d.workspace_id
         WHERE d.status = 'pending' AND d.lease_token IS NOT NULL AND d.lease_until <= now()
           FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE webhook_deliveries d
       SET lease_token = NULL, lease_until = NULL,
           attempt = CASE WHEN l.over THEN d.attempt ELSE d.attempt + 1 END,
           status = CASE WHEN l.over THEN 'failed'
                         WHEN NOT l.enabled THEN 'skipped_disabled' ELSE 'pending' END,
           error_class = CASE WHEN l.over THEN 'timeout' END,
           finished_at = CASE WHEN l.over OR NOT l.enabled THEN l.now END
      FROM lapsed l
     WHERE d.workspace_id = l.workspace_id AND d.id = l.id AND d.recorded_at = l.recorded_at;
    SELECT array_agg(l.workspace_id), array_agg(l.id) INTO workspaces_locked, endpoints_locked
      FROM (
        WITH RECURSIVE waiting AS (
            (SELECT workspace_id, endpoint_id, due_at FROM webhook_deliveries
              WHERE status = 'pending' AND lease_token IS NULL
              ORDER BY workspace_id, endpoint_id, due_at LIMIT 1)
            UNION ALL
            SELECT further.* FROM waiting CROSS JOIN LATERAL (
                SELECT d.workspace_id, d.endpoint_id, d.due_at FROM webhook_deliveries d
                 WHERE d.status = 'pending' AND d.lease_token IS NULL
                   AND (d.workspace_id, d.endpoint_id) > (waiting.workspace_id, waiting.endpoint_id)
                 ORDER BY d.workspace_id, d.endpoint_id, d.due_at LIMIT 1) AS further
        )
        SELECT e.workspace_id, e.id
          FROM waiting
          JOIN webhook_endpoints e ON e.workspace_id = waiting.workspace_id AND e.id = waiting.endpoint_id
          JOIN workspaces w ON w.id = e.workspace_id
         WHERE e.enabled
           AND waiting.due_at <= now() + w.clock_offset
           AND (e.hold_until IS NULL OR e.hold_until <= now() + w.clock_offset)
           AND (SELECT count(*) FROM webhook_deliveries f
          WHERE f.workspace_id = e.workspace_id AND f.endpoint_id = e.id
            AND f.status = 'pending' AND f.lease_token IS NOT NULL) < CASE WHEN e.consecutive_failures >= p_breaker THEN 1 ELSE p_cap END
         ORDER BY waiting.due_at LIMIT p_most
           FOR NO KEY UPDATE OF e SKIP LOCKED
      ) AS l;
    IF endpoints_locked IS NULL THEN RETURN; END IF;
    -- The body is read by a subquery of its own: as a join, with statistics older than a burst of
    -- events, the planner read all bodies of the workspace for each delivery (355 ms instead of 6).
    RETURN QUERY
    WITH room AS (
        SELECT e.workspace_id, e.id AS endpoint_id, e.url, e.secret_sealed,
               now() + w.clock_offset AS now,
               (SELECT count(*) FROM webhook_deliveries f
      WHERE f.workspace_id = e.workspace_id AND f.endpoint_id = e.id
        AND f.status = 'pending' AND f.lease_token IS NOT NULL) AS in_flight,
               CASE WHEN e.consecutive_failures >= p_breaker THEN 1 ELSE p_cap END AS cap
          FROM unnest(workspaces_locked, endpoints_locked) AS locked(workspace_id, endpoint_id)
          JOIN webhook_endpoints e
            ON e.workspace_id = locked.workspace_id AND e.id = locked.endpoint_id
          JOIN workspaces w ON w.id = e.workspace_id
         WHERE e.enabled AND (e.hold_until IS NULL OR e.hold_until <= now() + w.clock_offset)
    ), picked AS (
        SELECT room.workspace_id, room.url, room.secret_sealed, due.id, due.recorded_at
          FROM room CROSS JOIN LATERAL (
            SELECT d.id, d.recorded_at, d.due_at, row_number() OVER (ORDER BY d.due_at, d.ordinal) AS n
              FROM webhook_deliveries d
             WHERE d.workspace_id = room.workspace_id AND d.endpoint_id = room.endpoint_id
               AND d.status = 'pending' AND d.lease_token IS NULL AND d.due_at <= room.now
             ORDER BY d.due_at, d.ordinal LIMIT GREATEST(room.cap - room.in_flight, 0)) AS due
         ORDER BY room.in_flight + due.n, due.due_at LIMIT p_most
    ), claimed AS (
        UPDATE webhook_deliveries d
           SET lease_token = p_token, lease_until = now() + p_lease, url = picked.url
          FROM picked
         WHERE d.workspace_id = picked.workspace_id AND d.id = picked.id
           AND d.recorded_at = picked.recorded_at
        RETURNING d.workspace_id, d.id, d.recorded_at, d.endpoint_id, d.event_id, d.event_type,
                  d.attempt, d.url, d.lease_token, d.manual, d.fault, picked.secret_sealed
    )
    SELECT claimed.workspace_id, claimed.id, claimed.recorded_at, claimed.endpoint_id, claimed.event_id,
           claimed.event_type, claimed.attempt, claimed.url, claimed.lease_token, claimed.manual,
           claimed.fault, claimed.secret_sealed, payload.body, payload.traceparent
      FROM claimed LEFT JOIN LATERAL (
          SELECT p.body, p.traceparent FROM webhook_payloads p
           WHERE p.workspace_id = claimed.workspace_id AND p.event_id = claimed.event_id
          OFFSET 0) AS payload ON true;
END $$;

-- Locks the endpoints of a batch of attempts, in the order of their keys, and then those attempts
-- that still have the lease they were claimed with; answers the latter with their endpoint's health.
CREATE FUNCTION lock_webhook_attempts(
    p_workspaces uuid[], p_endpoints uuid[], p_ids uuid[], p_recorded timestamptz[],
    p_tokens uuid[], p_commit_later boolean
) RETURNS TABLE (
    id uuid, workspace_id uuid, endpoint_id uuid, url text, now timestamptz, enabled boolean,
    consecutive_failures integer, first_failure_at timestamptz, hold_until timestamptz,
    warned_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF p_commit_later THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
    PERFORM FROM webhook_endpoints e
      WHERE (e.workspace_id, e.id) IN (SELECT * FROM unnest(p_workspaces, p_endpoints))
      ORDER BY e.workspace_id, e.id
        FOR NO KEY UPDATE;
    RETURN QUERY
    -- On its own, so that the planner goes from the few attempts to their rows and not from the
    -- endpoints to all that they ever had.
    WITH held AS MATERIALIZED (
        SELECT d.id, d.workspace_id, d.endpoint_id
          FROM unnest(p_workspaces, p_ids, p_recorded, p_tokens)
               AS ours(workspace_id, id, recorded_at, lease_token)
          JOIN webhook_deliveries d
            ON d.workspace_id = ours.workspace_id AND d.id = ours.id
           AND d.recorded_at = ours.recorded_at AND d.lease_token = ours.lease_token
           FOR UPDATE OF d
    )
    SELECT held.id, e.workspace_id, e.id, e.url, now() + w.clock_offset, e.enabled,
           e.consecutive_failures, e.first_failure_at, e.hold_until, e.warned_at
      FROM held
      JOIN webhook_endpoints e ON e.workspace_id = held.workspace_id AND e.id = held.endpoint_id
      JOIN workspaces w ON w.id = e.workspace_id;
END $$;
