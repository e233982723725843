//! The secrets of a stack. They are generated once and kept until `down --wipe`.

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
    checkout::{Checkout, write_file},
    error::{DevError, ErrorContext, Result},
};

/// Passwords and keys. All use the base64url alphabet, so none needs quotes in a shell or a configuration file.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Secrets {
    /// PostgreSQL's superuser, which only this program uses.
    pub(crate) postgres_superuser: String,
    /// The role `landlord`, which owns the platform database.
    pub(crate) postgres: String,
    /// The role of the API functions.
    pub(crate) postgres_api: String,
    /// The role of the functions that create and delete tenants' databases.
    pub(crate) postgres_provisioner: String,
    pub(crate) mongo: String,
    /// Authenticates the members of a MongoDB replica set to each other.
    pub(crate) mongo_key: String,
    pub(crate) redis: String,
    pub(crate) minio: String,
    pub(crate) kafka: String,
    /// Kafka's cluster id: 16 bytes.
    pub(crate) kafka_cluster: String,
    /// Signs access tokens.
    pub(crate) jwt: TokenKey,
    /// Signs impersonation tokens.
    pub(crate) impersonation: TokenKey,
    /// Keys the digests of idempotent requests.
    pub(crate) idempotency: String,
    /// The passwords of the services' logins at MongoDB are derived from it.
    pub(crate) service_logins: String,
    pub(crate) first_admin_password: String,
}

/// A key pair that signs tokens.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct TokenKey {
    /// PKCS #8, Ed25519.
    pub(crate) signing_key: String,
    /// RFC 7638 thumbprint of the public key.
    pub(crate) id: String,
    /// A JWK Set that contains the public key.
    pub(crate) public_keys: String,
}

impl Secrets {
    /// The secrets of this checkout. Without any, new ones are generated.
    pub(crate) fn load_or_generate(checkout: &Checkout) -> Result<Self> {
        let file = checkout.local("secrets/secrets.json");
        if !file.exists() {
            checkout.create_folders()?;
            let secrets = Self::generate()?;
            let text = serde_json::to_string_pretty(&secrets).context(|| "The secrets cannot be saved".into())?;
            write_file(&file, &text)?;
            return Ok(secrets);
        }
        let action = || format!("{} cannot be read", file.display());
        let text = fs::read_to_string(&file).context(action)?;
        serde_json::from_str(&text).map_err(|error| {
            DevError::new(action(), error)
                .remedy("Another version may have written it. `cargo dev down --wipe` removes it, and all data")
        })
    }

    pub(crate) fn generate() -> Result<Self> {
        Ok(Self {
            postgres_superuser: random(24)?,
            postgres: random(24)?,
            postgres_api: random(24)?,
            postgres_provisioner: random(24)?,
            mongo: random(24)?,
            mongo_key: random(96)?,
            redis: random(24)?,
            minio: random(24)?,
            kafka: random(24)?,
            kafka_cluster: random(16)?,
            jwt: TokenKey::generate()?,
            impersonation: TokenKey::generate()?,
            idempotency: random(32)?,
            service_logins: random(32)?,
            first_admin_password: random(18)?,
        })
    }
}

impl TokenKey {
    pub(crate) fn generate() -> Result<Self> {
        let private = openssl(&["genpkey", "-algorithm", "ed25519", "-outform", "DER"], &[])?;
        let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], &private)?;
        // The key is the last 32 bytes of its SubjectPublicKeyInfo (RFC 8410).
        let key = public.len().checked_sub(32).map(|start| URL_SAFE_NO_PAD.encode(&public[start..]));
        let key =
            key.ok_or_else(|| DevError::new("The token key cannot be generated", "openssl printed no public key"))?;
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

/// Random bytes in base64url. The text never begins with a dash, which a program might read as an option.
fn random(bytes: usize) -> Result<String> {
    loop {
        let mut random = vec![0; bytes];
        File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut random))
            .context(|| "Random bytes cannot be read".into())?;
        let text = URL_SAFE_NO_PAD.encode(random);
        if !text.starts_with('-') {
            return Ok(text);
        }
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let action = || "The token key cannot be generated by openssl".to_owned();
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(action)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Some commands end without reading their input, so a failed write is no error. The exit status is checked.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().context(action)?;
    if !output.status.success() {
        return Err(DevError::new(action(), String::from_utf8_lossy(&output.stderr)));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_id_matches_the_example_in_rfc_8037() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(thumbprint(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_public_key_matches_the_private_key() {
        let key = TokenKey::generate().unwrap();
        let keys: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&key.public_keys).unwrap()).unwrap();
        let private = URL_SAFE_NO_PAD.decode(&key.signing_key).unwrap();
        let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], &private).unwrap();
        assert_eq!(keys["keys"][0]["x"], URL_SAFE_NO_PAD.encode(&public[public.len() - 32..]));
        assert_eq!(keys["keys"][0]["kid"], key.id);
    }
}
