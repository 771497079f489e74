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
    last_delivery_at timestamptz,
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
    PRIMARY KEY (workspace_id, event_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
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
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (workspace_id, endpoint_id, ordinal DESC);
SELECT ensure_month_partitions('webhook_deliveries', 3);
