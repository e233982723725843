//! The accounts.

use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::error::SqlState;

use crate::{
    error::{Conflict, Error, Result},
    sql::{self, Columns, Conditions},
    super_admins::{
        ProviderSubject, SuperAdmin, SuperAdminFilter, SuperAdminStatus,
        store::state::{self, SuperAdminKey, WithSuperAdminState},
    },
    types::{EmailAddress, PageRequest, SuperAdminId, SuperAdminRole},
};

sql::columns! {
    AccountColumns -> SuperAdmin {
        id: "id",
        email: "email",
        role: "role",
        status: "disabled_at IS NOT NULL" via |is_disabled| {
            Ok(if is_disabled { SuperAdminStatus::Disabled } else { SuperAdminStatus::Active })
        },
        must_change_password: "must_change_password",
        subject: "subject",
        created_at: "created_at",
        updated_at: "updated_at",
        revision: "revision",
    }
}

const BY_ID: &str = sql::text!("SELECT ", AccountColumns::LIST, " FROM super_admins WHERE id = $1");

/// The super-admin with this id, and the state of the super-admin who sent the request.
pub async fn find_with_reader_state(
    client: &impl GenericClient,
    by: SuperAdminKey<'_>,
    id: SuperAdminId,
) -> Result<WithSuperAdminState<SuperAdmin>> {
    state::find_with_super_admin_state(client, by, BY_ID, id.0, NOT_FOUND, AccountColumns::read).await
}

/// A page of super-admins. It has one more than the limit if another page follows.
pub async fn list(
    client: &impl GenericClient,
    filter: &SuperAdminFilter,
    page: PageRequest,
) -> Result<Vec<SuperAdmin>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(roles) = &filter.role {
        conditions.one_of("role", "", roles.as_slice());
    }
    match filter.status {
        Some(SuperAdminStatus::Active) => conditions.add("disabled_at IS NULL".to_owned()),
        Some(SuperAdminStatus::Disabled) => conditions.add("disabled_at IS NOT NULL".to_owned()),
        None => {}
    }
    conditions.created_in(&filter.created);
    let order = conditions.page("created_at", "id", &page);
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM super_admins {} ORDER BY {order} LIMIT $1",
            AccountColumns::LIST,
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, AccountColumns::read).await
}

const NOT_FOUND: Error = Error::NotFound { what: "super-admin" };

/// A super-admin to insert. Exactly one of `password_hash` and `subject` is `Some`. The password is temporary.
#[derive(Debug, Clone)]
pub struct NewSuperAdmin<'a> {
    pub email: &'a EmailAddress,
    pub role: SuperAdminRole,
    /// Argon2id in the PHC string format, for a super-admin who signs in with a password.
    pub password_hash: Option<&'a str>,
    /// For a super-admin who signs in at the identity provider.
    pub subject: Option<&'a ProviderSubject>,
}

/// Inserts a super-admin. [`Conflict`] if another one has the e-mail address or the subject; the transaction is
/// aborted then.
pub async fn insert(transaction: &Transaction<'_>, new: &NewSuperAdmin<'_>) -> Result<SuperAdmin> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "INSERT INTO super_admins (id, email, role, password_hash, must_change_password, subject)
             VALUES ($1, $2, $3, $4::text, $4::text IS NOT NULL, $5)
             RETURNING ",
            AccountColumns::LIST
        ))
        .await?;
    let id = SuperAdminId::generate();
    let inserted =
        transaction.query_one(&statement, &[&id, new.email, &new.role, &new.password_hash, &new.subject]).await;
    match inserted {
        Ok(row) => AccountColumns::read(&row),
        Err(error) => Err(match violated_unique_constraint(&error) {
            Some("super_admins_email") => {
                Conflict::EmailTaken { holder: "super-admin", email: new.email.to_string() }.into()
            }
            Some(_) => Conflict::SubjectTaken.into(),
            None => error.into(),
        }),
    }
}

fn violated_unique_constraint(error: &tokio_postgres::Error) -> Option<&str> {
    let error = error.as_db_error().filter(|error| *error.code() == SqlState::UNIQUE_VIOLATION)?;
    error.constraint()
}

/// The super-admin with this id. The row is locked until the transaction ends.
pub async fn find_for_update(transaction: &Transaction<'_>, id: SuperAdminId) -> Result<SuperAdmin> {
    let statement = transaction.prepare_cached(sql::text!(BY_ID, " FOR UPDATE")).await?;
    let row = transaction.query_opt(&statement, &[&id]).await?;
    row.map_or(Err(NOT_FOUND), |row| AccountColumns::read(&row))
}

/// The super-admin with this e-mail address, locked until the transaction ends.
pub async fn find_by_email_for_update(
    transaction: &Transaction<'_>,
    email: &EmailAddress,
) -> Result<Option<SuperAdmin>> {
    let statement = transaction
        .prepare_cached(sql::text!("SELECT ", AccountColumns::LIST, " FROM super_admins WHERE email = $1 FOR UPDATE"))
        .await?;
    transaction.query_opt(&statement, &[email]).await?.map(|row| AccountColumns::read(&row)).transpose()
}

/// The owners who are not disabled. Other callers of this function wait until the transaction ends, so that two transactions
/// cannot remove the last two owners at the same time.
pub async fn lock_owners(transaction: &Transaction<'_>) -> Result<Vec<SuperAdminId>> {
    let lock = "SELECT pg_advisory_xact_lock(hashtext('landlord owners'))";
    transaction.execute(&transaction.prepare_cached(lock).await?, &[]).await?;
    let statement =
        transaction.prepare_cached("SELECT id FROM super_admins WHERE role = 'owner' AND disabled_at IS NULL").await?;
    let rows = transaction.query(&statement, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Updates role and status. Disabling a super-admin ends every session; enabling the super-admin later restores none. Enabling
/// also ends sessions, because the identity provider may have issued tokens in the meantime.
pub async fn update(
    transaction: &Transaction<'_>,
    id: SuperAdminId,
    role: SuperAdminRole,
    status: SuperAdminStatus,
) -> Result<SuperAdmin> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE super_admins
             SET role = $2, disabled_at = CASE WHEN $3 THEN coalesce(disabled_at, now()) END,
                 session_epoch = session_epoch + CASE WHEN $3 AND disabled_at IS NULL THEN 1 ELSE 0 END,
                 sessions_ended_at = CASE WHEN $3 = (disabled_at IS NULL) THEN now() ELSE sessions_ended_at END,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            AccountColumns::LIST
        ))
        .await?;
    let is_disabled = status == SuperAdminStatus::Disabled;
    AccountColumns::read(&transaction.query_one(&statement, &[&id, &role, &is_disabled]).await?)
}

/// Sets the password of a super-admin and ends every session, unless sessions have ended since `session_epoch`. Returns the epoch
/// of new sessions.
pub async fn set_own_password(
    transaction: &Transaction<'_>,
    id: SuperAdminId,
    password_hash: &str,
    session_epoch: i32,
) -> Result<Option<i32>> {
    let statement = transaction
        .prepare_cached(
            "UPDATE super_admins
             SET password_hash = $2, must_change_password = false, session_epoch = session_epoch + 1,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1 AND session_epoch = $3
             RETURNING session_epoch",
        )
        .await?;
    let row = transaction.query_opt(&statement, &[&id, &password_hash, &session_epoch]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Sets a temporary password, which the super-admin must replace, and ends every session.
pub async fn set_temporary_password(
    transaction: &Transaction<'_>,
    id: SuperAdminId,
    password_hash: &str,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE super_admins
             SET password_hash = $2, must_change_password = true, session_epoch = session_epoch + 1,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1",
        )
        .await?;
    transaction.execute(&statement, &[&id, &password_hash]).await?;
    Ok(())
}
