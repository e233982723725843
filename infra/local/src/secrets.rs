//! The secrets of a stack: made once, kept until `down --wipe`.

use std::{
    fs::{self, File},
    io::{Read, Write},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    checkout::{Checkout, write_whole},
    failure::{Attempt, Failure, Result},
};

/// Passwords and keys. All are of the base64url alphabet, so that none needs quoting anywhere.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Secrets {
    /// PostgreSQL's superuser, which only this program uses.
    pub(crate) postgres_superuser: String,
    /// The platform's own role, owner of the platform database.
    pub(crate) postgres: String,
    /// The role of the API functions.
    pub(crate) postgres_api: String,
    /// The role of the functions that make and delete tenants.
    pub(crate) postgres_provisioner: String,
    /// MongoDB's root user.
    pub(crate) mongo: String,
    /// What the members of a MongoDB replica set share.
    pub(crate) mongo_key: String,
    /// Redis.
    pub(crate) redis: String,
    /// MinIO's secret key.
    pub(crate) minio: String,
    /// The cluster id of Kafka: 16 bytes.
    pub(crate) kafka_cluster: String,
    /// What signs tokens at sign-in.
    pub(crate) jwt: TokenKey,
    /// What signs tokens of impersonations.
    pub(crate) impersonation: TokenKey,
    /// Keys the digests of idempotent requests.
    pub(crate) idempotency: String,
    /// The first super-admin's password.
    pub(crate) first_admin_password: String,
}

/// A key pair that signs tokens.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct TokenKey {
    /// PKCS #8, Ed25519.
    pub(crate) signing_key: String,
    /// RFC 7638 thumbprint of the public key.
    pub(crate) id: String,
    /// A JWKS document with the one public key.
    pub(crate) public_keys: String,
}

impl Secrets {
    /// The secrets of this checkout, made now if there are none.
    pub(crate) fn load_or_make(checkout: &Checkout) -> Result<Self> {
        let file = checkout.local("secrets/secrets.json");
        if !file.exists() {
            checkout.prepare()?;
            let secrets = Self::make()?;
            let text = serde_json::to_string_pretty(&secrets).attempt(|| "Secrets cannot be kept".into())?;
            write_whole(&file, &text)?;
            return Ok(secrets);
        }
        let what = || format!("{} cannot be understood", file.display());
        let text = fs::read_to_string(&file).attempt(what)?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(what(), error)
                .remedy("It was written by another version: `cargo dev down --wipe` starts afresh")
        })
    }

    pub(crate) fn make() -> Result<Self> {
        Ok(Self {
            postgres_superuser: random(24)?,
            postgres: random(24)?,
            postgres_api: random(24)?,
            postgres_provisioner: random(24)?,
            mongo: random(24)?,
            mongo_key: random(96)?,
            redis: random(24)?,
            minio: random(24)?,
            kafka_cluster: random(16)?,
            jwt: TokenKey::make()?,
            impersonation: TokenKey::make()?,
            idempotency: random(32)?,
            first_admin_password: random(18)?,
        })
    }
}

impl TokenKey {
    pub(crate) fn make() -> Result<Self> {
        let private = openssl(&["genpkey", "-algorithm", "ed25519", "-outform", "DER"], &[])?;
        let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], &private)?;
        // The key itself is the last 32 bytes of its SubjectPublicKeyInfo (RFC 8410).
        let key = public.len().checked_sub(32).map(|start| URL_SAFE_NO_PAD.encode(&public[start..]));
        let key = key.ok_or_else(|| Failure::new("The token key cannot be made", "openssl printed no public key"))?;
        let id = thumbprint(&key);
        let keys = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": key },
        ]});
        Ok(Self {
            signing_key: URL_SAFE_NO_PAD.encode(&private),
            id,
            public_keys: URL_SAFE_NO_PAD.encode(keys.to_string()),
        })
    }
}

/// The JWK thumbprint (RFC 7638, RFC 8037) of an Ed25519 public key.
fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

/// So many random bytes, in base64url. Never begins with a dash, which a program might take for an option.
fn random(bytes: usize) -> Result<String> {
    loop {
        let mut noise = vec![0; bytes];
        File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut noise))
            .attempt(|| "There is no randomness".into())?;
        let text = URL_SAFE_NO_PAD.encode(noise);
        if !text.starts_with('-') {
            return Ok(text);
        }
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let what = || "The token key cannot be made by openssl".to_owned();
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .attempt(what)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read its input may be gone by now; its exit status says whether that was well.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().attempt(what)?;
    if !output.status.success() {
        return Err(Failure::new(what(), String::from_utf8_lossy(&output.stderr)));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(thumbprint(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_public_key_belongs_to_the_private_one() {
        let key = TokenKey::make().unwrap();
        let keys: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&key.public_keys).unwrap()).unwrap();
        let private = URL_SAFE_NO_PAD.decode(&key.signing_key).unwrap();
        let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], &private).unwrap();
        assert_eq!(keys["keys"][0]["x"], URL_SAFE_NO_PAD.encode(&public[public.len() - 32..]));
        assert_eq!(keys["keys"][0]["kid"], key.id);
    }
}
