//! Use case: the receipt of a tenant that was deleted, signed once.
//!
//! The worker that removes a tenant holds no key: it records what existed, what it removed and what a search found, with a digest in the
//! audit log. The first request for the receipt signs that, together with what remains by the retention of the deployment.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{
    auth::{PrivateKey, PublishedKeys},
    clients::postgres::Connection,
    config::{ConfigError, ImpersonationSigningConfig, KeptConfig},
    error::{Conflict, Error, Result},
    tenants::{TenantStatus, store},
    types::TenantId,
};

/// The `typ` of a receipt, so that no verifier takes it for another kind of token (RFC 8725, section 3.11).
pub const RECEIPT_TYPE: &str = "tenant-receipt+jwt";

/// Signs receipts with the key whose public part is published.
pub struct ReceiptSigner {
    key: PrivateKey,
    issuer: String,
    kept: KeptConfig,
}

/// A receipt.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TenantReceipt {
    /// The receipt: a JWS in compact form (RFC 7515) of the type `tenant-receipt+jwt`, which verifies with `/.well-known/jwks.json`.
    pub receipt: String,
    /// What the receipt states: the claims of the JWS.
    #[schema(value_type = Object)]
    pub content: Value,
}

impl ReceiptSigner {
    /// Reads the private key. Fails unless its public key is among the published keys.
    pub fn new(config: &ImpersonationSigningConfig, kept: KeptConfig) -> Result<Self, ConfigError> {
        let key = PrivateKey::read("IMPERSONATION_SIGNING_KEY", &config.key, &config.key_id)?;
        PublishedKeys::new(&config.published)?.check_contains(&key, "IMPERSONATION_SIGNING_KEY_ID")?;
        Ok(Self { key, issuer: config.issuer.clone(), kept })
    }

    fn claims(&self, id: TenantId, stored: &store::deletion::StoredReceipt) -> Result<Value> {
        let mut claims = json!({
            "iss": self.issuer,
            "sub": id,
            "jti": stored.operation_id,
            "iat": stored.purged_at.unix_timestamp(),
            "remains": self.remains(stored)?,
        });
        let (Some(all), Some(content)) = (claims.as_object_mut(), stored.content.as_object()) else {
            return Err(Error::internal("the content of a receipt is no object"));
        };
        all.extend(content.clone());
        Ok(claims)
    }

    /// What remains of the tenant after its end, and until when.
    fn remains(&self, stored: &store::deletion::StoredReceipt) -> Result<Value> {
        let purged_at = stored.purged_at;
        let until =
            |days: i32| (purged_at + time::Duration::days(days.into())).format(&Rfc3339).map_err(Error::internal);
        let KeptConfig { retention, backups } = self.kept;
        let mut remains = json!([
            { "what": "backups of the databases and versions in the backup of the bucket", "until": until(backups)? },
            // Entries are removed by whole months.
            { "what": "entries of the audit log", "until": until(retention.audit + 31)? },
            { "what": "records of impersonations", "until": until(retention.impersonations)? },
            { "what": "records of operations", "until": until(retention.operations)? },
            { "what": "the tenant's row with its name and slug, its figures of usage, and this receipt", "until": null },
        ]);
        if let (Some(export), Some(remains)) = (stored.content.get("export"), remains.as_array_mut()) {
            let what = format!("the files of the export {}", export["id"].as_str().unwrap_or_default());
            remains.insert(0, json!({ "what": what, "until": export["expires_at"] }));
        }
        Ok(remains)
    }
}

/// The receipt of a tenant, which is signed if it was not before. Fails with [`Conflict::ReceiptNotReady`] before the end of the tenant.
pub async fn receipt(platform: &Connection, signer: &ReceiptSigner, id: TenantId) -> Result<TenantReceipt> {
    let Some(stored) = store::deletion::find_receipt(platform, id).await? else {
        let tenant = store::find(platform, id).await?;
        return match tenant.status {
            // Imported rows, of whose end nothing is known.
            TenantStatus::Deleted => Err(Error::NotFound { what: "receipt of a tenant" }),
            status => Err(Conflict::ReceiptNotReady { tenant_status: status.as_str() }.into()),
        };
    };
    let receipt = if let Some(jws) = &stored.jws {
        jws.clone()
    } else {
        let jws = signer.key.sign(RECEIPT_TYPE, &signer.claims(id, &stored)?)?;
        store::deletion::store_jws(platform, id, &jws).await?
    };
    let content = read_claims(&receipt)?;
    Ok(TenantReceipt { receipt, content })
}

/// The claims of a JWS that this platform has signed.
fn read_claims(jws: &str) -> Result<Value> {
    let claims = jws.split('.').nth(1).ok_or_else(|| Error::internal("a stored receipt is no JWS"))?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(Error::internal)?;
    serde_json::from_slice(&claims).map_err(Error::internal)
}
