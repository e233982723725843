-- Operators: what each may do, sessions that end at once, in whose name they acted, and what they did, to be read.

-- Those who were there before could do everything.
ALTER TABLE super_admins
    ADD COLUMN role text NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'operator', 'viewer')),
    -- Who this is to the platform's identity provider, for those who sign in there.
    ADD COLUMN subject text UNIQUE,
    -- Raised to end every session at once: a token names the one it was issued in.
    ADD COLUMN session_epoch integer NOT NULL DEFAULT 0,
    -- Counts every change of the row that is shown; it is the entity tag.
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ALTER COLUMN password_hash DROP NOT NULL,
    ADD CONSTRAINT super_admins_sign_in CHECK (password_hash IS NOT NULL OR subject IS NOT NULL);

ALTER TABLE super_admins ALTER COLUMN role DROP DEFAULT;

CREATE INDEX super_admins_newest ON super_admins (created_at DESC, id DESC);

GRANT INSERT ON super_admins TO landlord_api;
GRANT UPDATE (password_hash, role, disabled_at, session_epoch, revision, updated_at) ON super_admins TO landlord_api;

-- An operator who acts in the name of an agent. What is said of the agent is as it was then.
CREATE TABLE impersonations (
    id              uuid        PRIMARY KEY,
    -- The operator, as in audit.actor: a super-admin's id, or the subject at the identity provider.
    admin_id        text        NOT NULL,
    admin_email     text,
    tenant_id uuid        NOT NULL REFERENCES tenants (id),
    user_id        uuid        NOT NULL,
    user_email     text        NOT NULL,
    access          text        NOT NULL CHECK (access IN ('read', 'write')),
    reason          text        NOT NULL,
    ticket          text,
    request_id      text,
    source_address  text,
    started_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL CHECK (expires_at > started_at),
    -- When the tenant's own record of it was written. Before that no token was given, and it is not live.
    recorded_at     timestamptz,
    ended_at        timestamptz,
    -- The operator who ended it, or `system`.
    ended_by        text,
    end_reason      text        CHECK (end_reason IN
        ('ended', 'expired', 'not_recorded', 'user_deactivated', 'tenant_not_active', 'operator_disabled',
         'operator_role_changed')),
    revision        bigint      NOT NULL DEFAULT 1,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

-- One at a time of an operator and an agent. Whoever starts one ends those before it that have expired.
CREATE UNIQUE INDEX impersonations_one_live ON impersonations (admin_id, tenant_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX impersonations_newest ON impersonations (started_at DESC, id DESC);
CREATE INDEX impersonations_of_organization ON impersonations (tenant_id, started_at DESC, id DESC);
CREATE INDEX impersonations_of_admin ON impersonations (admin_id, started_at DESC, id DESC);
CREATE INDEX impersonations_of_user ON impersonations (user_id, started_at DESC, id DESC);

GRANT SELECT, INSERT, UPDATE ON impersonations TO landlord_api;

-- The deny list is in Redis. What is owed to it is here until it is written there.
ALTER TABLE outbox
    DROP CONSTRAINT outbox_destination_check,
    ADD CONSTRAINT outbox_destination_check CHECK (destination IN ('event', 'provision', 'denial'));

CREATE INDEX outbox_denials ON outbox (available_at) WHERE destination = 'denial';

-- The audit log is only ever added to. What is done in two databases has two entries: the intent, which is committed before
-- anything is done, and the outcome, which names it. An intent without an outcome was cut off: look.
ALTER TABLE audit
    ADD COLUMN outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('intended', 'done', 'failed', 'refused')),
    ADD COLUMN intent_id uuid;

CREATE INDEX audit_of_actor ON audit (actor, at DESC, id DESC);
CREATE INDEX audit_of_action ON audit (action, at DESC, id DESC);

GRANT SELECT ON audit TO landlord_api;
