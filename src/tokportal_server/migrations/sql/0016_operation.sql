-- Backups: which installation they are of, and how much there must be in them.

-- One row. It keeps the backup of one installation from being written over that of another; a
-- restored one goes on under the same name.
CREATE TABLE installation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    made_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX installation_once ON installation ((true));
INSERT INTO installation DEFAULT VALUES;

-- Count the rows of every table, partitions one by one. Each is locked against being dropped until
-- the transaction ends, so that a dump of the same moment has the same tables.
CREATE FUNCTION count_rows() RETURNS TABLE (name text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR name IN SELECT c.relname::text FROM pg_class c
                 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM public.%I', name) INTO n;
        RETURN NEXT;
    END LOOP;
END $$;
