//! The columns that the functions select of a tenant.

pub(crate) const TENANT_COLUMNS: &str = "id, name, slug, status, database_name, schema_version, created_at, updated_at, max_agents, max_contacts, \
     max_messages_month, on_limit, country, revision";
