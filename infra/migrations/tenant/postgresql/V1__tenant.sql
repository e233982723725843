-- A tenant's PostgreSQL database: who works there, and how the workplace is set up. What they talk about with their
-- contacts is in MongoDB. This builds the template that the databases of tenants are cloned from; the rows that it inserts
-- are what every tenant starts with. It runs as landlord_provisioner, which owns everything in it.
-- Times are timestamptz, ids are UUIDv7 made by the application.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO landlord_api;

-- What an agent may do hangs on the role. The three built-in ones are those of the platform's API.
CREATE TABLE roles (
    name        text        PRIMARY KEY CHECK (name ~ '^[a-z][a-z_]{0,31}$'),
    description text        NOT NULL,
    built_in    boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE permissions (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z_]+\.[a-z_]+$'),
    description text NOT NULL
);

CREATE TABLE role_permissions (
    role       text NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    permission text NOT NULL REFERENCES permissions (name) ON DELETE CASCADE,
    PRIMARY KEY (role, permission)
);

CREATE TABLE users (
    id            uuid        PRIMARY KEY,
    email         text        NOT NULL,
    full_name     text        NOT NULL,
    role          text        NOT NULL REFERENCES roles (name),
    -- Agents are deactivated, never deleted: what they wrote keeps its author.
    status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deactivated')),
    -- Argon2id in the PHC string format. NULL for those who sign in elsewhere.
    password_hash text,
    -- Raised to end every session of the agent at once.
    session_epoch integer     NOT NULL DEFAULT 0,
    last_seen_at  timestamptz,
    -- The agent is online until then; a client that is alive moves it on.
    online_until  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE INDEX users_newest ON users (created_at DESC, id DESC);
-- For the search of a substring of e-mail or name, in any case.
CREATE INDEX users_search ON users USING gin (email gin_trgm_ops, full_name gin_trgm_ops);
-- How many count against the limit, and how many are online.
CREATE INDEX users_active ON users (status, online_until);

-- A division is a team that conversations are routed to.
CREATE TABLE divisions (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    description text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX divisions_name ON divisions (lower(name));

CREATE TABLE user_divisions (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    division_id uuid NOT NULL REFERENCES divisions (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, division_id)
);

CREATE INDEX user_divisions_of_division ON user_divisions (division_id);

CREATE TABLE settings (
    name       text        PRIMARY KEY,
    value      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO roles (name, description, built_in) VALUES
    ('admin', 'Runs the workplace: agents, divisions, channels and settings', true),
    ('supervisor', 'Leads agents: sees and assigns every conversation', true),
    ('agent', 'Answers the conversations that are assigned', true);

INSERT INTO permissions (name, description) VALUES
    ('users.manage', 'Add, change and deactivate agents'),
    ('channels.manage', 'Connect and disconnect channels'),
    ('contacts.export', 'Export contacts'),
    ('contacts.write', 'Add and change contacts'),
    ('conversations.assign', 'Assign conversations to agents and divisions'),
    ('conversations.read_all', 'Read every conversation'),
    ('conversations.reply', 'Reply to conversations'),
    ('divisions.manage', 'Add and change divisions and their members'),
    ('reports.read', 'Read reports'),
    ('settings.manage', 'Change settings'),
    ('templates.manage', 'Add and change message templates');

INSERT INTO role_permissions (role, permission)
SELECT 'admin', name FROM permissions
UNION ALL
SELECT 'supervisor', name FROM permissions
WHERE name IN (
    'contacts.export', 'contacts.write', 'conversations.assign', 'conversations.read_all', 'conversations.reply',
    'reports.read', 'templates.manage'
)
UNION ALL
SELECT 'agent', name FROM permissions WHERE name IN ('contacts.write', 'conversations.reply');

INSERT INTO settings (name, value) VALUES
    ('assignment', '{"mode": "round_robin", "max_open_per_user": 20}'),
    ('business_hours', '{"time_zone": "UTC", "always_open": true, "hours": []}'),
    ('locale', '{"language": "en", "time_zone": "UTC"}'),
    ('retention', '{"messages_days": null}');

GRANT SELECT ON roles, permissions, role_permissions, divisions, user_divisions, settings TO landlord_api;
GRANT SELECT, INSERT, UPDATE ON users TO landlord_api;
