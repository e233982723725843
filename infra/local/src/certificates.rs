//! The certificates of the local servers: one authority and one certificate, made once and kept until `down --wipe`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::{
    checkout::{Checkout, write_file},
    error::{DevError, Result},
};

const DAY: Duration = Duration::from_hours(24);
const LIFETIME: Duration = Duration::from_hours(24 * 3650);

/// The names of this machine that the servers' certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The authority of the local servers. Clients trust it, and every user may read it.
pub(crate) fn authority(checkout: &Checkout) -> PathBuf {
    checkout.local("data/ca.pem")
}

/// The servers' certificate.
pub(crate) fn certificate(checkout: &Checkout) -> PathBuf {
    checkout.local("secrets/server.pem")
}

/// The private key of the certificate.
pub(crate) fn key(checkout: &Checkout) -> PathBuf {
    checkout.local("secrets/server.key")
}

/// The key and the certificate in one file, as MongoDB and Kafka read them.
pub(crate) fn key_and_certificate(checkout: &Checkout) -> PathBuf {
    checkout.local("secrets/server-key-and-certificate.pem")
}

/// Makes the authority and the certificate, unless they exist. The authority's key is not kept, so that nobody can issue another
/// certificate that this machine's clients trust.
pub(crate) fn ensure(checkout: &Checkout) -> Result<()> {
    let complete = [authority(checkout), certificate(checkout), key(checkout), key_and_certificate(checkout)];
    if complete.iter().all(|file| file.is_file()) {
        return Ok(());
    }
    let Generated { authority: ca, certificate: server, key: private } =
        generate().map_err(|error| DevError::new("The local servers' certificate cannot be made", error))?;
    write_file(&key(checkout), &private)?;
    write_file(&certificate(checkout), &server)?;
    write_file(&key_and_certificate(checkout), &(private + &server))?;
    write_file(&authority(checkout), &ca)?;
    make_readable(&authority(checkout))
}

struct Generated {
    authority: String,
    certificate: String,
    key: String,
}

fn generate() -> Result<Generated, rcgen::Error> {
    let mut params = parameters(&[], "Landlord's local servers (authority)")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority = params.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let issuer = Issuer::new(params, authority_key);
    let certificate = parameters(&NAMES, "Landlord's local servers")?.signed_by(&key, &issuer)?;
    Ok(Generated { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
}

fn parameters(names: &[&str], subject: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, subject);
    let now = SystemTime::now();
    // Another machine's clock may be late.
    params.not_before = (now - DAY).into();
    params.not_after = (now + LIFETIME).into();
    Ok(params)
}

fn make_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
        .map_err(|error| DevError::new(format!("{} cannot be made readable", path.display()), error))
}
