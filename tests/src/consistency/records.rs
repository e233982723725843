//! The platform database by itself.

use tokio_postgres::Client;

use super::lines;

/// Each returns one line per contradiction.
const RULES: [&str; 20] = [
    // A tenant is never half-made without somebody who works on it.
    "SELECT 'tenant ' || t.id || ' is provisioning, and no operation works on it' FROM tenants t
     WHERE t.status = 'provisioning'
         AND NOT EXISTS (SELECT FROM operations o WHERE o.tenant_id = t.id AND o.finished_at IS NULL)",
    "SELECT 'tenant ' || t.id || ' is ' || t.status || ', and its last operation ' || o.id || ' has ' || o.status
     FROM tenants t
         JOIN LATERAL (SELECT * FROM operations o WHERE o.tenant_id = t.id AND o.kind IN ('provision', 'retry', 'restore')
                       ORDER BY created_at DESC, id DESC LIMIT 1) AS o ON true
     WHERE o.status = 'succeeded' AND t.status IN ('provisioning', 'failed')
         OR o.status = 'failed' AND t.status NOT IN ('failed', 'deleting', 'deleted')",
    "SELECT 'operation ' || id || ' is ' || status || ' with finished_at ' || coalesce(finished_at::text, 'NULL')
         || ' and next_attempt_at ' || coalesce(next_attempt_at::text, 'NULL')
     FROM operations
     WHERE (finished_at IS NULL) <> (status IN ('pending', 'running', 'undoing'))
         OR (finished_at IS NULL) <> (next_attempt_at IS NOT NULL)",
    "SELECT 'operation ' || o.id || ' has ' || o.status || ' with step ' || s.name || ' ' || s.status
     FROM operations o JOIN operation_steps s ON s.operation_id = o.id
     WHERE o.status = 'succeeded' AND s.status <> CASE o.kind WHEN 'cleanup' THEN 'undone' ELSE 'succeeded' END
         OR o.status = 'failed' AND s.status IN ('running', 'succeeded', 'undoing')",
    "SELECT 'databases ' || d.name || ' are ' || d.state || ', and no operation works on them' FROM tenant_databases d
     WHERE d.state IN ('creating', 'dropping')
         AND NOT EXISTS (SELECT FROM operations o WHERE o.database_name = d.name AND o.finished_at IS NULL)",
    "SELECT 'tenant ' || t.id || ' is ' || t.status || ', and its databases are ' || d.state
     FROM tenants t JOIN tenant_databases d ON d.name = t.database_name
     WHERE t.status IN ('active', 'suspended') AND d.state <> 'live'",
    "SELECT 'audit entry ' || i.id || ' (' || i.action || ') has no outcome and no open change' FROM audit i
     WHERE i.outcome = 'intended'
         AND NOT EXISTS (SELECT FROM audit o WHERE o.intent_id = i.id)
         AND NOT EXISTS (SELECT FROM tenant_changes c WHERE c.intent_id = i.id)",
    "SELECT 'audit entry ' || intent_id || ' has ' || count(*) || ' outcomes' FROM audit
     WHERE intent_id IS NOT NULL GROUP BY intent_id HAVING count(*) > 1",
    "SELECT 'impersonation ' || i.id || ' is live, and its tenant is ' || t.status
     FROM impersonations i JOIN tenants t ON t.id = i.tenant_id
     WHERE i.ended_at IS NULL AND i.recorded_at IS NOT NULL AND i.expires_at > now() AND t.status <> 'active'",
    "SELECT 'impersonation ' || i.id || ' is live, and its super-admin is disabled'
     FROM impersonations i JOIN super_admins a ON a.id::text = i.admin_id
     WHERE i.ended_at IS NULL AND i.recorded_at IS NOT NULL AND i.expires_at > now() AND a.disabled_at IS NOT NULL",
    // Nothing identifies a user any more whose data were erased.
    "SELECT 'audit entry ' || a.id || ' contains data of user ' || e.user_id || ', which were erased'
     FROM erased_users e JOIN audit a ON a.tenant_id = e.tenant_id AND a.details ->> 'user_id' = e.user_id::text
     WHERE jsonb_path_exists(a.details, '$.**.full_name ? (@ != \"Erased user\")')
         OR jsonb_path_exists(a.details, '$.**.email ? (!(@ starts with \"erased-\"))')
         OR jsonb_path_exists(a.details, '$.**.user_email ? (!(@ starts with \"erased-\"))')",
    "SELECT 'impersonation ' || i.id || ' contains the address of user ' || e.user_id || ', which was erased'
     FROM erased_users e JOIN impersonations i ON i.tenant_id = e.tenant_id AND i.user_id = e.user_id
     WHERE i.user_email <> 'erased-' || e.user_id || '@invalid'",
    "SELECT 'the directory has ' || count(*) || ' users of tenant ' || t.id || ', which is ' || t.status
     FROM user_directory d JOIN tenants t ON t.id = d.tenant_id
     WHERE t.status NOT IN ('active', 'suspended', 'deleting') GROUP BY t.id, t.status",
    // The directory shows a user as the events do, or later.
    "SELECT 'the directory has revision ' || coalesce(d.revision::text, 'NULL') || ' of user ' || e.id || ' of tenant ' || t.id
         || ', and event ' || o.message_id || ' has ' || e.revision
     FROM outbox o
         JOIN tenants t ON t.id::text = o.key AND t.status IN ('active', 'suspended', 'deleting')
         CROSS JOIN LATERAL (SELECT (o.payload #>> '{data,revision}')::bigint, (o.payload #>> '{data,user,id}')::uuid,
                                    o.payload #> '{data,user}') AS e (revision, id, data)
         LEFT JOIN user_directory d ON d.tenant_id = t.id AND d.user_id = e.id
     WHERE o.destination = 'event' AND o.payload ->> 'type' LIKE 'user.%' AND e.id IS NOT NULL
         AND (d.revision IS NULL OR d.revision < e.revision
             OR d.revision = e.revision AND (d.email, d.full_name, d.role, d.status)
                 <> (e.data ->> 'email', left(e.data ->> 'full_name', 120), e.data ->> 'role', e.data ->> 'status'))",
    "SELECT 'tenant ' || t.id || ' is deleting, and no operation is going to remove it' FROM tenants t
     WHERE t.status = 'deleting' AND t.deletion IS NOT NULL
         AND NOT EXISTS (SELECT FROM operations o WHERE o.tenant_id = t.id AND o.kind = 'purge' AND o.finished_at IS NULL)",
    "SELECT 'tenant ' || t.id || ' is deleted, without a receipt or with a first user' FROM tenants t
     WHERE t.status = 'deleted' AND t.deletion IS NOT NULL
         AND (NOT EXISTS (SELECT FROM tenant_receipts r WHERE r.tenant_id = t.id)
              OR EXISTS (SELECT FROM pending_admins p WHERE p.tenant_id = t.id))",
    "SELECT 'operation ' || o.id || ' has ' || o.status || ', and its export is ' || coalesce('complete since ' || e.finished_at, 'not complete')
     FROM operations o LEFT JOIN exports e ON e.operation_id = o.id
     WHERE o.kind = 'export' AND (o.status = 'succeeded') <> (e.finished_at IS NOT NULL)
         OR o.kind = 'purge' AND o.status = 'succeeded' AND e.id IS NOT NULL AND e.finished_at IS NULL",
    "SELECT 'export ' || id || ' has no operation that exports' FROM exports e
     WHERE NOT EXISTS (SELECT FROM operations o WHERE o.id = e.operation_id AND o.tenant_id = e.tenant_id
                           AND o.kind IN ('export', 'purge'))",
    "SELECT 'tenant ' || o.tenant_id || ' is ' || t.status || ', and is being exported by ' || o.id
     FROM operations o JOIN tenants t ON t.id = o.tenant_id
     WHERE o.kind = 'export' AND o.finished_at IS NULL AND t.status <> 'active'",
    "SELECT 'message ' || message_id || ' is ' || count(*) || ' times in the outbox' FROM outbox
     WHERE destination = 'event' GROUP BY message_id HAVING count(*) > 1",
];

/// Each returns one line per thing that is not finished.
const WORK: [&str; 5] = [
    "SELECT 'operation ' || id || ' is ' || status || ': ' || coalesce(reason, 'no reason') || ', next attempt '
         || next_attempt_at FROM operations
     -- A deleted tenant may still be restored.
     WHERE finished_at IS NULL AND (not_before IS NULL OR not_before < now())",
    "SELECT 'change ' || id || ' (' || kind || ') is open' FROM tenant_changes",
    "SELECT 'message ' || message_id || ' (' || destination || ') is in the outbox, attempts ' || attempts FROM outbox",
    "SELECT 'a batch on topic ' || topic || ' is open' FROM outbox_checkpoints WHERE message_ids IS NOT NULL",
    "SELECT 'impersonation ' || id || ' has expired and not ended' FROM impersonations
     WHERE ended_at IS NULL AND expires_at < now()",
];

pub(super) async fn contradictions(platform: &Client) -> Vec<String> {
    all(platform, &RULES).await
}

pub(super) async fn unfinished(platform: &Client) -> Vec<String> {
    all(platform, &WORK).await
}

async fn all(platform: &Client, statements: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for sql in statements {
        found.extend(lines(platform, sql).await);
    }
    found
}
