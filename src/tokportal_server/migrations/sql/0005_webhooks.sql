-- Webhook endpoints and their deliveries, one row per attempt.

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
    first_failure_at timestamptz,
    probe_at timestamptz,
    last_delivery_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, url)
);

CREATE TABLE webhook_deliveries (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    endpoint_id uuid NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    url text NOT NULL,
    payload bytea NOT NULL,
    attempt integer NOT NULL,
    manual boolean NOT NULL DEFAULT false,
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
    PRIMARY KEY (workspace_id, id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (workspace_id, endpoint_id, due_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (workspace_id, endpoint_id, ordinal DESC);
SELECT ensure_month_partitions('webhook_deliveries', 3);
