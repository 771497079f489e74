-- One row: what the doctor found when it last examined the books.
CREATE TABLE doctor_runs (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    examined_at timestamptz NOT NULL DEFAULT now(),
    seconds double precision NOT NULL,
    contradictions integer NOT NULL
);
