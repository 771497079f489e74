-- Orders: bundles, the profile to set up, video slots, claims, corrections; delivered accounts.
-- Deadlines are rows: each stands on the thing that it is about, in the workspace's clock.

CREATE TABLE saved_accounts (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    platform text NOT NULL REFERENCES platforms (code),
    country text NOT NULL REFERENCES countries (code),
    username text NOT NULL,
    visible_name text NOT NULL,
    profile_url text NOT NULL,
    profile_picture_url text,
    biography text,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'banned', 'detached')),
    bundle_id uuid NOT NULL,
    manager_id uuid REFERENCES managers (person_id),
    delivered_at timestamptz,
    credentials_revealed_at timestamptz,
    created_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id)
);
-- Whose an account is, as operators ask.
CREATE INDEX saved_accounts_id ON saved_accounts (id);
CREATE INDEX saved_accounts_newest ON saved_accounts (workspace_id, ordinal DESC);
CREATE INDEX saved_accounts_username ON saved_accounts (workspace_id, lower(username) text_pattern_ops);

-- Credentials of an account, sealed with the vault key and bound to this row.
CREATE TABLE vault_items (
    workspace_id uuid NOT NULL,
    saved_account_id uuid NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, saved_account_id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id)
);

CREATE TABLE bundles (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_type text NOT NULL
        CHECK (bundle_type IN ('account_only', 'account_and_videos', 'videos_only')),
    platform text NOT NULL REFERENCES platforms (code),
    country text NOT NULL REFERENCES countries (code),
    status text NOT NULL CHECK (status IN ('pending_setup', 'published', 'published_priority',
                                           'accepted', 'completed', 'cancelled', 'archived')),
    title text,
    external_ref text,
    videos_quantity integer NOT NULL CHECK (videos_quantity BETWEEN 0 AND 1000),
    edits_quantity integer NOT NULL CHECK (edits_quantity BETWEEN 0 AND videos_quantity),
    auto_finalize_videos boolean NOT NULL,
    wants_niche_warming boolean NOT NULL,
    wants_deep_warming boolean NOT NULL,
    wants_moderation boolean NOT NULL,
    niche_warming_instructions text,
    moderation_notice text,
    saved_account_id uuid,
    charge_state text NOT NULL DEFAULT 'paid' CHECK (charge_state IN ('paid', 'reversed')),
    cost_breakdown jsonb NOT NULL,
    sold_prices jsonb NOT NULL,
    reviewed_once boolean NOT NULL DEFAULT false,
    published_at timestamptz,
    accepted_at timestamptz,
    completed_at timestamptz,
    -- Stays when a cancelled bundle is archived: its external_ref is free for good.
    cancelled_at timestamptz,
    priority_at timestamptz,
    -- The last change of the status, which the door stamps.
    moved_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, saved_account_id) REFERENCES saved_accounts (workspace_id, id),
    CHECK (bundle_type <> 'account_only' OR videos_quantity = 0)
);
ALTER TABLE saved_accounts ADD FOREIGN KEY (workspace_id, bundle_id)
    REFERENCES bundles (workspace_id, id) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX bundles_newest ON bundles (workspace_id, ordinal DESC);
CREATE INDEX bundles_by_status ON bundles (workspace_id, status, ordinal DESC);
CREATE UNIQUE INDEX bundles_account_ref ON bundles (workspace_id, external_ref)
    WHERE external_ref IS NOT NULL AND bundle_type <> 'videos_only' AND cancelled_at IS NULL;
-- What a search begins with, whatever its case (bundles/search.py); the second one serves the filter
-- of the list as well.
CREATE INDEX bundles_title ON bundles (workspace_id, lower(title) text_pattern_ops, ordinal DESC)
    WHERE title IS NOT NULL;
CREATE INDEX bundles_ref ON bundles (workspace_id, lower(external_ref) text_pattern_ops, ordinal DESC)
    WHERE external_ref IS NOT NULL;
-- Whose a bundle is (updateBundle says so).
CREATE INDEX bundles_id ON bundles (id);
CREATE INDEX bundles_account ON bundles (workspace_id, saved_account_id, ordinal DESC);
-- What managers may take, in the order of their queue; and how long it has waited where.
CREATE INDEX bundles_queue ON bundles ((status = 'published_priority') DESC, published_at, id)
    WHERE status IN ('published', 'published_priority');
CREATE INDEX bundles_open ON bundles (published_at, country, platform) INCLUDE (workspace_id)
    WHERE status IN ('published', 'published_priority');
CREATE INDEX bundles_priority_due ON bundles (priority_at) WHERE priority_at IS NOT NULL;

-- What was charged for a bundle: the order, what was added to it, the order again after a reversal.
-- A bulk order's one debit is shared by its bundles, so what was given back is kept here for each:
-- `refunded` never exceeds `amount`. A charge that was reversed is no longer part of the bundle's
-- cost; the amounts of all others add up to it. Free orders have no charge.
CREATE TABLE bundle_charges (
    workspace_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    entry_id uuid NOT NULL,
    amount integer NOT NULL CHECK (amount > 0),
    breakdown jsonb NOT NULL,
    -- How many edit slots the breakdown's `edit_slots` paid for; what a slot cost stands on it.
    edits integer NOT NULL CHECK (edits >= 0),
    refunded integer NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    reversed_at timestamptz,
    PRIMARY KEY (workspace_id, bundle_id, number),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id),
    FOREIGN KEY (workspace_id, entry_id) REFERENCES credit_entries (workspace_id, id)
);

CREATE TABLE profiles (
    workspace_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    status text NOT NULL CHECK (status IN ('pending', 'configured', 'published', 'in_review',
                                           'pending_corrections', 'finalized', 'cancelled')),
    username text,
    visible_name text,
    biography text,
    profile_picture_url text,
    link_in_bio text,
    niche_warming_instructions text,
    submitted jsonb,
    deviations jsonb NOT NULL DEFAULT '[]',
    configured_at timestamptz,
    submitted_at timestamptz,
    finalized_at timestamptz,
    review_deadline_at timestamptz,
    PRIMARY KEY (workspace_id, bundle_id),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id)
);
CREATE INDEX profiles_username ON profiles (workspace_id, lower(username) text_pattern_ops)
    WHERE username IS NOT NULL;
CREATE INDEX profiles_review_due ON profiles (review_deadline_at)
    WHERE review_deadline_at IS NOT NULL;

CREATE TABLE slots (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    position integer NOT NULL CHECK (position BETWEEN 1 AND 1000),
    status text NOT NULL CHECK (status IN ('pending', 'configured', 'published', 'accepted',
                                           'in_review', 'pending_corrections', 'finalized',
                                           'cancelled')),
    -- What the slot was sold at, without its options.
    price integer NOT NULL CHECK (price >= 0),
    name text,
    external_ref text,
    -- What the customer asked for, as configureBundleVideo accepted it (without the columns here).
    content jsonb NOT NULL DEFAULT '{}',
    video_type text CHECK (video_type IN ('video', 'carousel', 'story')),
    uses_edit_slot boolean NOT NULL DEFAULT false,
    target_start date,
    target_end date,
    date_adjusted boolean NOT NULL DEFAULT false,
    publish_when_ready boolean NOT NULL DEFAULT false,
    media_status text NOT NULL DEFAULT 'none'
        CHECK (media_status IN ('none', 'fetching', 'ready', 'failed')),
    media_error jsonb,
    download_issue jsonb,
    platform_url text,
    evidence_url text,
    workable_at timestamptz,
    overdue_at timestamptz,
    published_at timestamptz,
    accepted_at timestamptz,
    submitted_at timestamptz,
    review_deadline_at timestamptz,
    finalized_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, bundle_id, position),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id),
    CHECK (target_end >= target_start)
);
CREATE INDEX slots_review_due ON slots (review_deadline_at) WHERE review_deadline_at IS NOT NULL;
CREATE INDEX slots_waiting ON slots (updated_at)
    WHERE publish_when_ready AND status = 'configured' AND media_status = 'ready';
-- What operators ask after: windows that have passed, and corrections that nobody makes.
CREATE INDEX slots_overdue ON slots (overdue_at)
    WHERE overdue_at IS NOT NULL AND status = 'accepted';
CREATE INDEX slots_to_correct ON slots (updated_at) WHERE status = 'pending_corrections';
CREATE INDEX slots_idle ON slots (updated_at) WHERE status = 'pending';
CREATE INDEX slots_by_day ON slots (workspace_id, target_start) WHERE target_start IS NOT NULL;
CREATE INDEX slots_window_end ON slots (target_end)
    WHERE status = 'accepted' AND workable_at IS NOT NULL AND overdue_at IS NULL;

-- Paid extras of a slot: bought once, at the day's price, and kept through every re-configuration.
CREATE TABLE slot_options (
    workspace_id uuid NOT NULL,
    slot_id uuid NOT NULL,
    name text NOT NULL CHECK (name IN ('sound_volume', 'story_repost', 'instant_repost')),
    price integer NOT NULL CHECK (price >= 0),
    entry_id uuid,
    bought_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, slot_id, name),
    FOREIGN KEY (workspace_id, slot_id) REFERENCES slots (workspace_id, id),
    FOREIGN KEY (workspace_id, entry_id) REFERENCES credit_entries (workspace_id, id)
);

-- Rounds of corrections; slot_id is null for the profile's.
CREATE TABLE corrections (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    slot_id uuid,
    round integer NOT NULL,
    comment text NOT NULL,
    fields jsonb NOT NULL DEFAULT '{}',
    requested_at timestamptz NOT NULL,
    resolved_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE NULLS NOT DISTINCT (workspace_id, bundle_id, slot_id, round),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id),
    FOREIGN KEY (workspace_id, slot_id) REFERENCES slots (workspace_id, id)
);
CREATE INDEX corrections_slot ON corrections (workspace_id, slot_id) WHERE slot_id IS NOT NULL;

-- Who works on a bundle. At most one claim of a bundle is live.
CREATE TABLE claims (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    manager_id uuid NOT NULL REFERENCES managers (person_id),
    status text NOT NULL DEFAULT 'live'
        CHECK (status IN ('live', 'released', 'missed', 'completed', 'cancelled')),
    claimed_at timestamptz NOT NULL,
    due_at timestamptz,
    ended_at timestamptz,
    reason text,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id)
);
CREATE UNIQUE INDEX claims_live ON claims (workspace_id, bundle_id) WHERE status = 'live';
CREATE INDEX claims_due ON claims (due_at) WHERE status = 'live' AND due_at IS NOT NULL;
CREATE INDEX claims_manager ON claims (manager_id) WHERE status = 'live';
