-- Stored media. `storage_key` is `<workspace id>/<160 random bits>`: unguessable, and found without
-- asking other workspaces. The type is what the bytes were found to be; nothing that a browser would
-- run (HTML, SVG) can get into the column that media are served by. Rows that nothing refers to are
-- deleted after seven days (uploads/sweep.py), whatever refers to one stands in `media` or in
-- `media_mentions`.

CREATE TABLE uploads (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('video', 'carousel', 'profile_picture', 'evidence')),
    filename text NOT NULL,
    storage_key text NOT NULL,
    -- Where the bytes lie if it is not under `storage_key`: that of a presigned upload was promised
    -- before they came, and what they turned out to be is stored anew.
    object_key text,
    content_type text NOT NULL
        CHECK (content_type IN ('video/mp4', 'video/quicktime', 'video/webm',
                                'image/jpeg', 'image/png', 'image/webp', 'image/gif')),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    width integer,
    height integer,
    duration_seconds double precision,
    sha256 text NOT NULL,
    source_url text,
    created_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, storage_key),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id)
);
CREATE INDEX uploads_object ON uploads (workspace_id, object_key) WHERE object_key IS NOT NULL;
CREATE INDEX uploads_age ON uploads (recorded_at);

-- A small JPEG of an image or of a video's first frame, for lists in pages; made by a job.
CREATE TABLE thumbnails (
    workspace_id uuid NOT NULL,
    upload_id uuid NOT NULL,
    storage_key text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    width integer NOT NULL,
    height integer NOT NULL,
    sha256 text NOT NULL,
    PRIMARY KEY (workspace_id, upload_id),
    UNIQUE (workspace_id, storage_key),
    FOREIGN KEY (workspace_id, upload_id) REFERENCES uploads (workspace_id, id)
);

-- An address that was given out for one PUT. What arrives lies in quarantine, under a key made of
-- `storage_key`, until its first use makes an upload of it; the row is then deleted, and so is one
-- that nobody used for a day. Times are of the real clock, as the address's own expiry is.
CREATE TABLE presigned_uploads (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    storage_key text NOT NULL,
    bundle_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('video', 'carousel', 'profile_picture')),
    filename text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, storage_key),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id)
);
CREATE INDEX presigned_uploads_age ON presigned_uploads (recorded_at);

-- What a slot or a profile shows, in order: an upload, or on its way to one an external address or
-- the storage key of a presigned upload.
CREATE TABLE media (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    owner_kind text NOT NULL CHECK (owner_kind IN ('profile', 'slot', 'edit_request')),
    owner_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('video', 'carousel_image', 'story_image', 'profile_picture')),
    ordinal integer NOT NULL,
    source_url text,
    presigned_key text,
    upload_id uuid,
    status text NOT NULL CHECK (status IN ('fetching', 'ready', 'failed')),
    error jsonb,
    attempts integer NOT NULL DEFAULT 0,
    -- Of the attempt under way, while fetching.
    received_bytes bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, owner_id, kind, ordinal),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id),
    FOREIGN KEY (workspace_id, upload_id) REFERENCES uploads (workspace_id, id),
    CHECK ((status = 'ready') = (upload_id IS NOT NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
);
CREATE INDEX media_upload ON media (workspace_id, upload_id);
CREATE INDEX media_presigned ON media (workspace_id, presigned_key)
    WHERE presigned_key IS NOT NULL;

-- Storage keys that stand in a text: proof of a story, an account's picture, a wanted correction.
-- A later table with such a text is added to the view by its own migration.
CREATE VIEW media_mentions (workspace_id, storage_key) AS
SELECT t.workspace_id, found[1]
  FROM (SELECT workspace_id, evidence_url FROM slots WHERE evidence_url IS NOT NULL
        UNION ALL
        SELECT workspace_id, profile_picture_url FROM profiles
         WHERE profile_picture_url IS NOT NULL
        UNION ALL
        SELECT workspace_id, profile_picture_url FROM saved_accounts
         WHERE profile_picture_url IS NOT NULL
        UNION ALL
        SELECT workspace_id, fields::text FROM corrections) t(workspace_id, words)
 CROSS JOIN LATERAL regexp_matches(t.words, '[0-9a-f]{32}/[0-9a-f]{40}(?:\.[a-z0-9]+)?', 'g')
       AS found;

-- Work over all workspaces that one worker does once in a while: when it is due again.
CREATE TABLE sweeps (
    name text PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO sweeps (name) VALUES ('media');
