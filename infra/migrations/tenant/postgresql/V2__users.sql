-- Agents as operators of the platform look them up, and the record of those who acted in an agent's name.

-- Entity tag of an agent.
ALTER TABLE users ADD COLUMN revision bigint NOT NULL DEFAULT 1;

-- What a search looks at, in lower case: a substring of two characters, which no trigram index can find, is looked for row by
-- row, and to lower both columns of each row for it takes several times as long. No line holds a line feed, so that no match
-- reaches from the address into the name.
ALTER TABLE users ADD COLUMN search_text text GENERATED ALWAYS AS (lower(email) || E'\n' || lower(full_name)) STORED;
DROP INDEX users_search;
CREATE INDEX users_search ON users USING gin (search_text gin_trgm_ops);

-- Operators of the platform who acted in an agent's name, for the tenant's admins to read.
CREATE TABLE impersonations (
    id         uuid        PRIMARY KEY,
    user_id   uuid        NOT NULL REFERENCES users (id),
    -- The operator's e-mail, or what the platform knows them by.
    super_admin text       NOT NULL,
    reason     text        NOT NULL,
    ticket     text,
    access     text        NOT NULL CHECK (access IN ('read', 'write')),
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- NULL as long as it lasts, and after it has expired.
    ended_at   timestamptz
);

CREATE INDEX impersonations_newest ON impersonations (started_at DESC, id DESC);
CREATE INDEX impersonations_of_user ON impersonations (user_id, started_at DESC, id DESC);

GRANT SELECT, INSERT, UPDATE ON impersonations TO landlord_api;
