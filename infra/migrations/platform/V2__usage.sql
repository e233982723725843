-- Usage: what each tenant uses of its limits. measure-usage takes the figures from the tenant's own databases and keeps them
-- here, so that a list of usage never opens one.

CREATE TABLE tenant_usage (
    tenant_id  uuid        PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    -- Figures of the last measurement that succeeded, all of the same moment. NULL until there was one.
    agents           bigint      CHECK (agents >= 0),
    agents_online    bigint      CHECK (agents_online >= 0),
    contacts         bigint      CHECK (contacts >= 0),
    storage_bytes    bigint      CHECK (storage_bytes >= 0),
    -- Kinds of the channels that are connected: whatsapp, instagram, messenger, email.
    channels         text[]      NOT NULL DEFAULT '{}',
    -- The calendar month, UTC, that the messages belong to: its first day. In any later month they count as none.
    month            date        CHECK (extract(day FROM month) = 1),
    -- Messages of that month as the measurement found them, and as the live counter said when it was last looked at.
    messages_measured bigint     CHECK (messages_measured BETWEEN 0 AND 9999999999999),
    messages_counted  bigint     CHECK (messages_counted BETWEEN 0 AND 9999999999999),
    -- Orders tenants by messages of the current month, whichever month that is: figures of past months, which count as
    -- none, come below those of the current one.
    messages_rank    bigint      GENERATED ALWAYS AS (
        (month - DATE '2000-01-01')::bigint * 10000000000000 + greatest(messages_measured, messages_counted)
    ) STORED,
    measured_at      timestamptz,
    -- Why the last measurement failed, a code; NULL when it succeeded. The figures are those from before.
    error            text,
    failed_at        timestamptz,
    -- When the tenant is to be measured. Whoever queues it moves this on, so that a message that is lost is made up for.
    due_at           timestamptz NOT NULL DEFAULT now()
);

-- Each serves both directions, and the figures that are missing, which come last in either.
CREATE INDEX tenant_usage_agents ON tenant_usage (agents, tenant_id);
CREATE INDEX tenant_usage_agents_online ON tenant_usage (agents_online, tenant_id);
CREATE INDEX tenant_usage_contacts ON tenant_usage (contacts, tenant_id);
CREATE INDEX tenant_usage_messages ON tenant_usage (messages_rank, tenant_id);
CREATE INDEX tenant_usage_storage ON tenant_usage (storage_bytes, tenant_id);
CREATE INDEX tenant_usage_due ON tenant_usage (due_at);

-- Every tenant has its row, whoever inserts the tenant, so that a list in the order of a figure misses none.
CREATE FUNCTION insert_tenant_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tenant_usage (tenant_id) SELECT id FROM inserted;
    RETURN NULL;
END
$$;

CREATE TRIGGER tenants_have_usage AFTER INSERT ON tenants
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION insert_tenant_usage();

INSERT INTO tenant_usage (tenant_id) SELECT id FROM tenants;

-- Which thresholds a tenant has passed in a month: each is told once. The month comes first in the key, as whole months are
-- forgotten.
CREATE TABLE usage_thresholds (
    tenant_id uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    month           date        NOT NULL,
    figure          text        NOT NULL,
    percent         smallint    NOT NULL,
    reached_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (month, tenant_id, figure, percent)
);

GRANT SELECT, INSERT, UPDATE ON tenant_usage TO landlord_api;
GRANT SELECT, INSERT, DELETE ON usage_thresholds TO landlord_api;
GRANT INSERT ON tenant_usage TO landlord_provisioner;
