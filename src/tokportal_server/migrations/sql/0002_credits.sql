-- Prices with history; credits as lots and append-only entries (contract section 5).

CREATE TABLE prices (
    name text NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT now(),
    amount integer NOT NULL CHECK (amount >= 0),
    set_by uuid REFERENCES people (id),
    PRIMARY KEY (name, valid_from)
);

CREATE TABLE workspace_prices (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    name text NOT NULL CHECK (name IN ('account_creation', 'video_slot')),
    valid_from timestamptz NOT NULL DEFAULT now(),
    amount integer NOT NULL CHECK (amount >= 0),
    set_by uuid REFERENCES people (id),
    PRIMARY KEY (workspace_id, name, valid_from)
);

-- The one row that a workspace's credit writes queue up for; `settled_at` is the workspace's time at
-- the last of them. Below `low_below` credits the workspace is told once, and again once when it is
-- back there; 0 is never.
CREATE TABLE wallets (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces (id),
    settled_at timestamptz NOT NULL DEFAULT '-infinity',
    low_below integer NOT NULL DEFAULT 0 CHECK (low_below >= 0),
    is_low boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

CREATE TABLE credit_lots (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    source text NOT NULL,
    amount integer NOT NULL CHECK (amount > 0),
    remaining integer NOT NULL CHECK (remaining BETWEEN 0 AND amount),
    expires_at timestamptz,
    -- Of which end the workspace was warned: a lot that got another one by a refund has a new end.
    warned_of timestamptz,
    created_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX credit_lots_spendable ON credit_lots (workspace_id, expires_at, ordinal)
    WHERE remaining > 0;
CREATE INDEX credit_lots_ending ON credit_lots (expires_at)
    WHERE remaining > 0 AND expires_at IS NOT NULL;
CREATE INDEX credit_lots_to_warn_of ON credit_lots (expires_at)
    WHERE remaining > 0 AND warned_of IS DISTINCT FROM expires_at;

CREATE TABLE credit_entries (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    type text NOT NULL CHECK (type IN ('debit', 'credit', 'refund', 'expiry', 'adjustment')),
    amount integer NOT NULL,
    description text NOT NULL,
    breakdown jsonb NOT NULL DEFAULT '{}',
    balance_after integer NOT NULL CHECK (balance_after >= 0),
    reference_kind text NOT NULL,
    reference_id uuid,
    refunds_entry_id uuid,
    business_key text NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    created_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, business_key),
    FOREIGN KEY (workspace_id, refunds_entry_id) REFERENCES credit_entries (workspace_id, id),
    CHECK (CASE WHEN type IN ('debit', 'expiry') THEN amount < 0
                WHEN type IN ('credit', 'refund') THEN amount > 0
                ELSE amount <> 0 END),
    CHECK ((type = 'refund') = (refunds_entry_id IS NOT NULL))
);
CREATE INDEX credit_entries_newest ON credit_entries (workspace_id, ordinal DESC);
CREATE INDEX credit_entries_refunds ON credit_entries (workspace_id, refunds_entry_id)
    WHERE refunds_entry_id IS NOT NULL;
CREATE TRIGGER credit_entries_append_only BEFORE UPDATE OR DELETE ON credit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_entries_kept BEFORE TRUNCATE ON credit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Which lot paid (or got back) what: the amounts of an entry's lines add up to the entry.
CREATE TABLE credit_entry_lots (
    workspace_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    amount integer NOT NULL,
    PRIMARY KEY (workspace_id, entry_id, lot_id),
    FOREIGN KEY (workspace_id, entry_id) REFERENCES credit_entries (workspace_id, id),
    FOREIGN KEY (workspace_id, lot_id) REFERENCES credit_lots (workspace_id, id)
);
CREATE TRIGGER credit_entry_lots_append_only BEFORE UPDATE OR DELETE ON credit_entry_lots
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_entry_lots_kept BEFORE TRUNCATE ON credit_entry_lots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Take the workspace's lock, book expiry entries for due lots (`expired` of them), and answer what
-- can be spent at `moment`. That is `p_now`, or the time of the write before if that was later: of two writes that
-- race for the lock, the one that read the clock first may get it last, and a lot which the other
-- let expire must not come to life again for it.
CREATE FUNCTION ledger_settle(
    p_workspace uuid, p_now timestamptz, OUT moment timestamptz, OUT spendable integer,
    OUT expired integer
) LANGUAGE plpgsql AS $$
DECLARE
    lot record;
    entry uuid;
BEGIN
    expired := 0;
    INSERT INTO wallets AS w (workspace_id, settled_at) VALUES (p_workspace, p_now)
    ON CONFLICT (workspace_id)
        DO UPDATE SET settled_at = GREATEST(w.settled_at, excluded.settled_at)
    RETURNING w.settled_at INTO moment;
    SELECT COALESCE(sum(remaining), 0) INTO spendable FROM credit_lots
     WHERE workspace_id = p_workspace AND remaining > 0;
    FOR lot IN
        SELECT id, remaining, source, expires_at FROM credit_lots
         WHERE workspace_id = p_workspace AND remaining > 0 AND expires_at <= moment
         ORDER BY expires_at, ordinal FOR UPDATE
    LOOP
        spendable := spendable - lot.remaining;
        INSERT INTO credit_entries (workspace_id, type, amount, description, balance_after,
                                    reference_kind, reference_id, business_key, actor_kind, created_at)
        -- A lot that was refunded into after it expired may expire again: its date tells them apart.
        VALUES (p_workspace, 'expiry', -lot.remaining, 'Credits expired (' || lot.source || ')',
                spendable, 'lot', lot.id,
                'lot:' || lot.id || ':expiry:' || extract(epoch FROM lot.expires_at), 'system',
                lot.expires_at)
        RETURNING id INTO entry;
        INSERT INTO credit_entry_lots VALUES (p_workspace, entry, lot.id, -lot.remaining);
        UPDATE credit_lots SET remaining = 0 WHERE workspace_id = p_workspace AND id = lot.id;
        expired := expired + 1;
    END LOOP;
END $$;

-- Say whether a write has taken the workspace's credits across the mark that it set: 'low',
-- 'restored' or nothing. The wallet is locked.
CREATE FUNCTION ledger_level(
    p_workspace uuid, p_balance integer, OUT crossed text, OUT low_mark integer
) LANGUAGE plpgsql AS $$
DECLARE
    w wallets%ROWTYPE;
BEGIN
    SELECT * INTO w FROM wallets WHERE workspace_id = p_workspace;
    low_mark := w.low_below;
    IF w.is_low <> (p_balance < low_mark) THEN
        UPDATE wallets SET is_low = NOT is_low WHERE workspace_id = p_workspace;
        crossed := CASE WHEN w.is_low THEN 'restored' ELSE 'low' END;
    END IF;
END $$;

-- Book the due expiries, and nothing else.
CREATE FUNCTION ledger_expire(
    p_workspace uuid, p_now timestamptz, OUT balance integer, OUT expired integer, OUT crossed text,
    OUT low_mark integer
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT s.spendable, s.expired INTO balance, expired FROM ledger_settle(p_workspace, p_now) s;
    SELECT l.crossed, l.low_mark INTO crossed, low_mark FROM ledger_level(p_workspace, balance) l;
END $$;

-- Give the lots that end within `p_ahead` and that nobody was warned of, once for each end of a lot.
-- The wallet is locked and its due expiries are booked.
CREATE FUNCTION ledger_warn(p_workspace uuid, p_now timestamptz, p_ahead interval)
RETURNS SETOF credit_lots LANGUAGE sql AS $$
    UPDATE credit_lots SET warned_of = expires_at
     WHERE workspace_id = p_workspace AND remaining > 0 AND expires_at <= p_now + p_ahead
       AND warned_of IS DISTINCT FROM expires_at
    RETURNING *
$$;

-- Take `p_amount` (> 0), earliest-expiring lot first, then oldest, as an entry of `p_type` (debit or
-- adjustment). `ok` is false, and nothing is written but due expiries, when there is too little;
-- then `balance` is what there is.
CREATE FUNCTION ledger_debit(
    p_workspace uuid, p_now timestamptz, p_type text, p_amount integer, p_description text,
    p_breakdown jsonb, p_reference_kind text, p_reference_id uuid, p_business_key text,
    p_actor_kind text, p_actor_id uuid,
    OUT ok boolean, OUT balance integer, OUT entry_id uuid, OUT crossed text, OUT low_mark integer
) LANGUAGE plpgsql AS $$
DECLARE
    lot record;
    due integer := p_amount;
    part integer;
BEGIN
    SELECT s.moment, s.spendable INTO p_now, balance FROM ledger_settle(p_workspace, p_now) s;
    ok := balance >= p_amount;
    IF NOT ok THEN RETURN; END IF;
    balance := balance - p_amount;
    INSERT INTO credit_entries (workspace_id, type, amount, description, breakdown, balance_after,
                                reference_kind, reference_id, business_key, actor_kind, actor_id,
                                created_at)
    VALUES (p_workspace, p_type, -p_amount, p_description, p_breakdown, balance,
            p_reference_kind, p_reference_id, p_business_key, p_actor_kind, p_actor_id, p_now)
    RETURNING id INTO entry_id;
    FOR lot IN
        SELECT id, remaining FROM credit_lots
         WHERE workspace_id = p_workspace AND remaining > 0
         ORDER BY expires_at NULLS LAST, ordinal FOR UPDATE
    LOOP
        EXIT WHEN due = 0;
        part := LEAST(due, lot.remaining);
        UPDATE credit_lots SET remaining = remaining - part
         WHERE workspace_id = p_workspace AND id = lot.id;
        INSERT INTO credit_entry_lots VALUES (p_workspace, entry_id, lot.id, -part);
        due := due - part;
    END LOOP;
    SELECT l.crossed, l.low_mark INTO crossed, low_mark FROM ledger_level(p_workspace, balance) l;
END $$;

-- Grant a new lot of `p_amount` (> 0) credits, as an entry of `p_type` (credit or adjustment).
CREATE FUNCTION ledger_grant(
    p_workspace uuid, p_now timestamptz, p_type text, p_amount integer, p_source text,
    p_expires_at timestamptz, p_description text, p_business_key text,
    p_actor_kind text, p_actor_id uuid,
    OUT balance integer, OUT entry_id uuid, OUT lot_id uuid, OUT crossed text,
    OUT low_mark integer
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT s.moment, s.spendable + p_amount INTO p_now, balance
      FROM ledger_settle(p_workspace, p_now) s;
    INSERT INTO credit_lots (workspace_id, source, amount, remaining, expires_at, created_at)
    VALUES (p_workspace, p_source, p_amount, p_amount, p_expires_at, p_now)
    RETURNING id INTO lot_id;
    INSERT INTO credit_entries (workspace_id, type, amount, description, balance_after,
                                reference_kind, reference_id, business_key, actor_kind, actor_id,
                                created_at)
    VALUES (p_workspace, p_type, p_amount, p_description, balance, 'lot', lot_id,
            p_business_key, p_actor_kind, p_actor_id, p_now)
    RETURNING id INTO entry_id;
    INSERT INTO credit_entry_lots VALUES (p_workspace, entry_id, lot_id, p_amount);
    SELECT l.crossed, l.low_mark INTO crossed, low_mark FROM ledger_level(p_workspace, balance) l;
END $$;

-- Give back up to what a debit took and no refund has returned yet, to the lots that paid, the
-- longest-lived first. A lot that expired meanwhile comes back with 30 days of life. `ok` is false,
-- and nothing is written but due expiries, if that is no debit or has less to give back.
CREATE FUNCTION ledger_refund(
    p_workspace uuid, p_now timestamptz, p_debit_id uuid, p_amount integer, p_description text,
    p_breakdown jsonb, p_reference_kind text, p_reference_id uuid, p_business_key text,
    p_actor_kind text, p_actor_id uuid,
    OUT ok boolean, OUT balance integer, OUT entry_id uuid, OUT crossed text, OUT low_mark integer
) LANGUAGE plpgsql AS $$
DECLARE
    debit record;
    line record;
    due integer := p_amount;
    part integer;
BEGIN
    SELECT s.moment, s.spendable INTO p_now, balance FROM ledger_settle(p_workspace, p_now) s;
    SELECT e.amount INTO debit FROM credit_entries e
     WHERE e.workspace_id = p_workspace AND e.id = p_debit_id AND e.type = 'debit';
    ok := FOUND AND p_amount > 0 AND p_amount <= -debit.amount - COALESCE((
        SELECT sum(r.amount) FROM credit_entries r
         WHERE r.workspace_id = p_workspace AND r.refunds_entry_id = p_debit_id), 0);
    IF NOT ok THEN RETURN; END IF;
    balance := balance + p_amount;
    INSERT INTO credit_entries (workspace_id, type, amount, description, breakdown, balance_after,
                                reference_kind, reference_id, refunds_entry_id, business_key,
                                actor_kind, actor_id, created_at)
    VALUES (p_workspace, 'refund', p_amount, p_description, p_breakdown, balance,
            p_reference_kind, p_reference_id, p_debit_id, p_business_key,
            p_actor_kind, p_actor_id, p_now)
    RETURNING id INTO entry_id;
    FOR line IN
        SELECT l.id, l.expires_at, -paid.amount - COALESCE((
                   SELECT sum(back.amount) FROM credit_entry_lots back
                     JOIN credit_entries r ON r.workspace_id = back.workspace_id
                                          AND r.id = back.entry_id
                    WHERE back.workspace_id = p_workspace AND back.lot_id = l.id
                      AND r.refunds_entry_id = p_debit_id), 0)::integer AS open
          FROM credit_entry_lots paid
          JOIN credit_lots l ON l.workspace_id = paid.workspace_id AND l.id = paid.lot_id
         WHERE paid.workspace_id = p_workspace AND paid.entry_id = p_debit_id
         ORDER BY l.expires_at DESC NULLS FIRST, l.ordinal DESC
           FOR UPDATE OF l
    LOOP
        EXIT WHEN due = 0;
        part := LEAST(due, line.open);
        CONTINUE WHEN part <= 0;
        UPDATE credit_lots
           SET remaining = remaining + part,
               expires_at = CASE WHEN expires_at <= p_now THEN p_now + interval '30 days'
                                 ELSE expires_at END
         WHERE workspace_id = p_workspace AND id = line.id;
        INSERT INTO credit_entry_lots VALUES (p_workspace, entry_id, line.id, part);
        due := due - part;
    END LOOP;
    SELECT l.crossed, l.low_mark INTO crossed, low_mark FROM ledger_level(p_workspace, balance) l;
END $$;
