-- How the simulated managers of a rehearsal behave. Kept as long as the workspace and its bundles.

-- Which share of the bundles gets which script, drawn with a seed: same seed, same story.
CREATE TABLE rehearsal_settings (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces (id),
    seed bigint NOT NULL DEFAULT 0,
    weights jsonb NOT NULL DEFAULT '{"prompt": 1}'
);

-- The script of each bundle that simulated managers have looked at. `reported` are the slots whose
-- download has been called broken once already.
CREATE TABLE rehearsal_scripts (
    workspace_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    script text NOT NULL CHECK (script IN ('prompt', 'slow', 'careless', 'broken_download',
                                           'releases', 'bans')),
    reported uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (workspace_id, bundle_id),
    FOREIGN KEY (workspace_id, bundle_id) REFERENCES bundles (workspace_id, id)
);
CREATE INDEX rehearsal_scripts_bans ON rehearsal_scripts (workspace_id, bundle_id)
    WHERE script = 'bans';
