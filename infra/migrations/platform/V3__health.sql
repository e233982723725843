-- Health: what check-health found of every component, minute by minute. The newest report as a whole is in Redis.

-- A sample, or, with age, several in one row: nothing is lost of how many found the component well.
CREATE TABLE health_samples (
    component    text        NOT NULL,
    -- When the sample was taken; of several, the beginning of their time.
    at           timestamptz NOT NULL,
    -- How long that time is; 0 for a single sample.
    span_seconds integer     NOT NULL DEFAULT 0 CHECK (span_seconds >= 0),
    -- How many samples found it up, degraded, down.
    up           integer     NOT NULL DEFAULT 0 CHECK (up >= 0),
    degraded     integer     NOT NULL DEFAULT 0 CHECK (degraded >= 0),
    down         integer     NOT NULL DEFAULT 0 CHECK (down >= 0),
    -- The slowest answer, in milliseconds; NULL when there was none.
    latency_ms   real,
    -- The last thing that was wrong.
    error        text,
    PRIMARY KEY (component, at),
    CHECK (up + degraded + down > 0)
);

-- Thinning takes the oldest of each span; the history takes what is young, whatever its span.
CREATE INDEX health_samples_thinning ON health_samples (span_seconds, at);
CREATE INDEX health_samples_age ON health_samples (at);

-- Where each component stands: it changes when two of the last three samples say so.
CREATE TABLE health_states (
    component  text        PRIMARY KEY,
    state      text        NOT NULL CHECK (state IN ('up', 'degraded', 'down')),
    since      timestamptz NOT NULL,
    -- What the last three samples said, newest first.
    recent     text[]      NOT NULL,
    sampled_at timestamptz NOT NULL
);

CREATE TABLE health_changes (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    component  text        NOT NULL,
    at         timestamptz NOT NULL,
    from_state text        NOT NULL,
    to_state   text        NOT NULL,
    error      text
);

CREATE INDEX health_changes_of_component ON health_changes (component, at DESC);
CREATE INDEX health_changes_age ON health_changes (at);

GRANT SELECT, INSERT, UPDATE, DELETE ON health_samples, health_states, health_changes TO landlord_api;
