-- Stored media. `storage_key` is `<workspace id>/<160 random bits>`: unguessable, and found without
-- asking other workspaces. The type is what the bytes were found to be; nothing that a browser would
-- run (HTML, SVG) can get into the column that media are served by.

CREATE TABLE uploads (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('video', 'carousel', 'profile_picture', 'evidence')),
    filename text NOT NULL,
    storage_key text NOT NULL,
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

-- What a slot or a profile shows, in order: an upload, or an external address on its way to one.
CREATE TABLE media (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    owner_kind text NOT NULL CHECK (owner_kind IN ('profile', 'slot')),
    owner_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('video', 'carousel_image', 'story_image', 'profile_picture')),
    ordinal integer NOT NULL,
    source_url text,
    upload_id uuid,
    status text NOT NULL CHECK (status IN ('fetching', 'ready', 'failed')),
    error jsonb,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, owner_id, kind, ordinal),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id),
    FOREIGN KEY (workspace_id, upload_id) REFERENCES uploads (workspace_id, id),
    CHECK ((status = 'ready') = (upload_id IS NOT NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
);
CREATE INDEX media_upload ON media (workspace_id, upload_id);
