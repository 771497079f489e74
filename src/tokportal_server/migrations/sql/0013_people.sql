-- People: second factors, what they want to be told of, mail on its way. All times are real ones.

-- A shared secret of a person's authenticator app, sealed with the vault key; it counts once a first
-- code has confirmed it. `last_step` is the latest period of 30 seconds whose code was used: of one
-- period, and of those before it, no code is taken again.
CREATE TABLE second_factors (
    person_id uuid PRIMARY KEY REFERENCES people (id),
    secret_sealed bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- For a lost phone: each works once. They are random, so their hashes need no salt.
CREATE TABLE recovery_codes (
    person_id uuid NOT NULL REFERENCES second_factors (person_id) ON DELETE CASCADE,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (person_id, code_hash)
);
-- Whoever has given the right password and not yet the code. No session: nothing opens with it.
CREATE TABLE sign_in_steps (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    person_id uuid NOT NULL REFERENCES people (id),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_steps_person ON sign_in_steps (person_id);
CREATE INDEX sign_in_steps_expiry ON sign_in_steps (expires_at);

-- What somebody wants to be told of and how; without a row, on the page and by mail.
CREATE TABLE notice_choices (
    person_id uuid NOT NULL REFERENCES people (id),
    topic text NOT NULL,
    on_page boolean NOT NULL,
    by_mail boolean NOT NULL,
    PRIMARY KEY (person_id, topic)
);

-- Mail that holds a secret, such as a one-time link, until it is sent: sealed with the vault key.
CREATE TABLE sealed_mails (
    id uuid PRIMARY KEY,
    mail_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
