-- Maintenance, erasing and exporting what belongs to a workspace or a person.

-- While there is a row of scope 'maintenance', nobody but operators at the switch itself writes.
-- `until` is what callers are told of its end; it ends when an operator says so.
ALTER TABLE kill_switches DROP CONSTRAINT kill_switches_scope_check;
ALTER TABLE kill_switches ADD CONSTRAINT kill_switches_scope_check
    CHECK (scope IN ('all', 'workspace', 'account', 'maintenance'));
ALTER TABLE kill_switches ADD COLUMN until timestamptz;
ALTER TABLE kill_switches ADD CONSTRAINT kill_switches_until_check
    CHECK (until IS NULL OR scope = 'maintenance');

-- Who was erased stays as a row without a name: books and work records point to it.
ALTER TABLE people ADD COLUMN erased_at timestamptz;
ALTER TABLE workspaces ADD COLUMN erased_at timestamptz;

-- Workspaces and people that were, or are being, erased; kept for good, so that a restored backup
-- can be made to forget them again. 'deleting' is under way, 'settling' waits for a second look at
-- `look_at`: requests that were let in before the keys ended may have written a little more.
CREATE TABLE erasures (
    kind text NOT NULL CHECK (kind IN ('workspace', 'person')),
    subject_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('deleting', 'settling', 'done')),
    rows bigint NOT NULL DEFAULT 0,
    files bigint NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT now(),
    look_at timestamptz,
    done_at timestamptz,
    PRIMARY KEY (kind, subject_id),
    CHECK ((state = 'settling') = (look_at IS NOT NULL)),
    CHECK ((state = 'done') = (done_at IS NOT NULL))
);
CREATE INDEX erasures_open ON erasures (state) WHERE state <> 'done';

-- Facts are never changed, but for one reason: what they are about is being erased. A workspace's
-- facts may go while its erasure is under way; of a person's, words may go from the audit log and
-- from the managers' books, inside the one transaction that erases them.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner uuid;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        owner := to_jsonb(OLD) ->> 'workspace_id';
        IF EXISTS (SELECT FROM erasures e
                    WHERE e.state <> 'done'
                      AND ((e.kind = 'workspace' AND e.subject_id = owner)
                           OR (e.kind = 'person' AND TG_OP = 'UPDATE'
                               AND TG_TABLE_NAME ~ '^(audit(_[0-9]{6}|_default)?|earnings)$'))) THEN
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '23001';
END $$;

-- Delete at most `p_most` rows of a workspace from a table, whichever month they are in; answers how
-- many went.
CREATE FUNCTION erase_rows(p_table text, p_workspace uuid, p_most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    leaf regclass;
    part integer;
    gone integer := 0;
BEGIN
    FOR leaf IN SELECT p_table::regclass WHERE pg_partition_root(p_table::regclass) IS NULL
                 UNION ALL
                SELECT relid FROM pg_partition_tree(p_table::regclass) WHERE isleaf LOOP
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(
                            SELECT ctid FROM %1$s WHERE workspace_id = $1 LIMIT $2))', leaf)
          USING p_workspace, p_most - gone;
        GET DIAGNOSTICS part = ROW_COUNT;
        gone := gone + part;
        EXIT WHEN gone >= p_most;
    END LOOP;
    RETURN gone;
END $$;

-- Give the rows of a workspace as JSON, without some columns; bytes that are text as that text.
CREATE FUNCTION export_rows(p_table text, p_workspace uuid, p_omitted text[], p_texts text[])
RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
    row_as text := 'to_jsonb(t) - $2';
    name text;
BEGIN
    FOREACH name IN ARRAY p_texts LOOP
        row_as := row_as || format(' || jsonb_build_object(%L, convert_from(t.%I, ''UTF8''))',
                                   name, name);
    END LOOP;
    RETURN QUERY EXECUTE format('SELECT (%s)::text FROM %I t WHERE workspace_id = $1',
                                row_as, p_table)
      USING p_workspace, p_omitted;
END $$;

-- Archives of a whole workspace that its owner asked for. The file lies in the media store under a
-- key that nothing is served by; file and row are deleted when `expires_at` has passed.
CREATE TABLE workspace_exports (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    storage_key text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'made', 'failed')),
    rows bigint NOT NULL DEFAULT 0,
    files bigint NOT NULL DEFAULT 0,
    size_bytes bigint,
    asked_by uuid REFERENCES people (id),
    asked_at timestamptz NOT NULL DEFAULT now(),
    made_at timestamptz,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CHECK ((state = 'made') = (made_at IS NOT NULL))
);
CREATE UNIQUE INDEX workspace_exports_waiting ON workspace_exports (workspace_id)
    WHERE state = 'waiting';
CREATE INDEX workspace_exports_expiry ON workspace_exports (expires_at);
