-- The platform database: what the control plane itself must never lose.
-- Times are timestamptz, ids are UUIDv7 made by the application, so that primary keys insert in order.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE tenants (
    id                 uuid        PRIMARY KEY,
    name               text        NOT NULL,
    slug               text        NOT NULL,
    status             text        NOT NULL
        CHECK (status IN ('provisioning', 'active', 'suspended', 'failed', 'deleting', 'deleted')),
    -- Name of the tenant's PostgreSQL and MongoDB database alike; never derived from the slug, which can be freed. Every
    -- attempt to provision has its own: no name is used again after its databases were dropped.
    database_name      text        NOT NULL UNIQUE,
    schema_version     integer     NOT NULL DEFAULT 0 CHECK (schema_version >= 0),
    country            char(2)     NOT NULL,
    -- NULL is unlimited.
    max_agents         bigint      CHECK (max_agents >= 0),
    max_contacts       bigint      CHECK (max_contacts >= 0),
    max_messages_month bigint      CHECK (max_messages_month >= 0),
    -- Placement: names of configured clusters. NULL until placed.
    postgres_cluster   text,
    mongo_cluster      text,
    -- Counts every change of the row; it is the entity tag.
    revision           bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);

-- The slug is decided here and nowhere else: among living tenants it is unique.
CREATE UNIQUE INDEX tenants_living_slug ON tenants (slug) WHERE status <> 'deleted';
CREATE INDEX tenants_newest ON tenants (created_at DESC, id DESC);
CREATE INDEX tenants_newest_by_status ON tenants (status, created_at DESC, id DESC);
CREATE INDEX tenants_newest_by_country ON tenants (country, created_at DESC, id DESC);
CREATE INDEX tenants_search ON tenants USING gin (name gin_trgm_ops, slug gin_trgm_ops);
-- How full a cluster is.
CREATE INDEX tenants_postgres_cluster ON tenants (postgres_cluster) WHERE postgres_cluster IS NOT NULL;
CREATE INDEX tenants_mongo_cluster ON tenants (mongo_cluster) WHERE mongo_cluster IS NOT NULL;

-- The first agent of a tenant that is not active yet. The row is erased by the transaction that activates the tenant.
CREATE TABLE pending_admins (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    -- Decided here, so that the agent is the same one whoever makes it and however often.
    user_id        uuid NOT NULL,
    email           text NOT NULL,
    password_hash   text NOT NULL
);

CREATE TABLE operations (
    id               uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    kind             text        NOT NULL CHECK (kind IN ('provision', 'retry')),
    status           text        NOT NULL
        CHECK (status IN ('pending', 'running', 'undoing', 'succeeded', 'failed')),
    -- Why it failed or is being undone, for an operator to read.
    reason           text,
    requested_by     text        NOT NULL,
    -- How often the steps were taken up. It survives the queue: a message that is lost, or dead, does not reset it.
    attempts         integer     NOT NULL DEFAULT 0,
    -- The fencing token: every taker of the lease raises it, and every write of the journal names it.
    lease_token      bigint      NOT NULL DEFAULT 0,
    lease_expires_at timestamptz,
    -- The version of the tenant schema that is being made. NULL until the tenant is placed.
    schema_version   integer,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    finished_at      timestamptz
);

-- At most one operation runs on a tenant.
CREATE UNIQUE INDEX operations_one_open ON operations (tenant_id) WHERE finished_at IS NULL;
CREATE INDEX operations_of_organization ON operations (tenant_id, created_at DESC, id DESC);
CREATE INDEX operations_open ON operations (updated_at) WHERE finished_at IS NULL;

CREATE TABLE operation_steps (
    operation_id uuid    NOT NULL REFERENCES operations (id),
    position     integer NOT NULL,
    name         text    NOT NULL,
    status       text    NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'undoing', 'undone')),
    attempts     integer NOT NULL DEFAULT 0,
    error        text,
    started_at   timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (operation_id, name)
);

-- Messages that a committed change owes to the outside. A row goes only when its message is known to be delivered.
CREATE TABLE outbox (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- 'event' goes to Kafka, 'provision' to the SQS queue of provision-tenant.
    destination  text        NOT NULL CHECK (destination IN ('event', 'provision')),
    -- The event's id, or the operation's: names the message for those who receive it twice.
    message_id   uuid        NOT NULL,
    -- Kafka key: events of one tenant keep their order.
    key          text        NOT NULL,
    payload      jsonb       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- Not before this time is it the relay's business: the request that wrote it sends it itself first.
    available_at timestamptz NOT NULL DEFAULT now(),
    attempts     integer     NOT NULL DEFAULT 0
);

CREATE INDEX outbox_events ON outbox (id) WHERE destination = 'event';
-- Events that Kafka refused, which hold back those of their key.
CREATE INDEX outbox_refused ON outbox (key, available_at) WHERE destination = 'event' AND attempts > 0;
CREATE INDEX outbox_provisions ON outbox (available_at) WHERE destination = 'provision';
CREATE INDEX outbox_message ON outbox (message_id);

-- How far the relay is on a topic. While a batch is being sent, its ids and the topic's offsets before it are here: after
-- a crash they say where to look whether it was sent.
CREATE TABLE outbox_checkpoints (
    topic       text        PRIMARY KEY,
    -- Which producer sent last: a process that is not it has to make itself known to Kafka first.
    producer    uuid        NOT NULL,
    -- By partition. NULL, as the ids are, when no batch is open.
    offsets     bigint[],
    message_ids uuid[],
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((offsets IS NULL) = (message_ids IS NULL))
);

CREATE TABLE idempotency_keys (
    admin_id     text        NOT NULL,
    route        text        NOT NULL,
    key          text        NOT NULL,
    -- Keyed digest of the body: bodies hold passwords, so a plain hash would be a way to guess them.
    fingerprint  bytea       NOT NULL,
    status_code  smallint    NOT NULL,
    headers      jsonb       NOT NULL,
    body         text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (admin_id, route, key)
);

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE audit (
    id              uuid        PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    actor           text        NOT NULL,
    action          text        NOT NULL,
    tenant_id uuid,
    request_id      text,
    source_address  text,
    -- What changed, before and after; never a secret.
    details         jsonb       NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_newest ON audit (at DESC, id DESC);
CREATE INDEX audit_of_organization ON audit (tenant_id, at DESC, id DESC);

CREATE TABLE super_admins (
    id            uuid        PRIMARY KEY,
    email         text        NOT NULL,
    password_hash text        NOT NULL,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX super_admins_email ON super_admins (lower(email));

-- What may be seen and done by whom. Login users of a deployment are members of one of the two groups.
GRANT USAGE ON SCHEMA public TO landlord_api, landlord_provisioner;
GRANT SELECT, INSERT, UPDATE ON tenants, operations TO landlord_api, landlord_provisioner;
GRANT SELECT, INSERT, UPDATE ON operation_steps TO landlord_provisioner;
GRANT SELECT, INSERT ON operation_steps TO landlord_api;
GRANT INSERT ON pending_admins TO landlord_api;
GRANT SELECT, DELETE ON pending_admins TO landlord_provisioner;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO landlord_api, landlord_provisioner;
GRANT SELECT, INSERT, UPDATE ON outbox_checkpoints TO landlord_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO landlord_api;
GRANT INSERT ON audit TO landlord_api, landlord_provisioner;
GRANT SELECT ON super_admins TO landlord_api;
