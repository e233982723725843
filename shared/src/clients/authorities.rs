//! The certificate authorities that connections to stores trust.

use std::{fmt::Display, fs, path::Path, time::SystemTime};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, Der, TrustAnchor, pem::PemObject},
};
use x509_cert::{Certificate, der::Decode};

use crate::config::ConfigError;

// `AWS_DATABASES`: the authorities of Amazon RDS, Aurora and DocumentDB, which are neither in Mozilla's list nor in Lambda's image.
include!(concat!(env!("OUT_DIR"), "/aws_databases.rs"));

/// Mozilla's authorities, those of Amazon's databases, and those in the PEM files. An error names the variable of the file.
pub(super) fn trusted<'a>(
    files: impl IntoIterator<Item = (&'static str, &'a Path)>,
) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore { roots: [webpki_roots::TLS_SERVER_ROOTS, AWS_DATABASES].concat() };
    for (variable, path) in files {
        for certificate in read(variable, path)? {
            roots.add(certificate).map_err(|error| ConfigError::invalid(variable, error))?;
        }
    }
    Ok(roots)
}

/// The certificates in a PEM file that have not expired, of which there must be at least one: the store of anchors does not know
/// their dates.
fn read(variable: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let invalid = |reason: &dyn Display| ConfigError::invalid(variable, format!("{}: {reason}", path.display()));
    let pem = fs::read(path).map_err(|error| invalid(&error))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let mut certificates = certificates.map_err(|error| invalid(&error))?;
    if certificates.is_empty() {
        return Err(invalid(&"it contains no certificate"));
    }
    let mut valid = Vec::new();
    for certificate in certificates.drain(..) {
        let parsed = Certificate::from_der(&certificate).map_err(|error| invalid(&error))?;
        if parsed.tbs_certificate.validity.not_after.to_system_time() > SystemTime::now() {
            valid.push(certificate);
        }
    }
    if valid.is_empty() { Err(invalid(&"every certificate in it has expired")) } else { Ok(valid) }
}

/// The text of a PEM file of authorities, which is checked first.
#[cfg(any(feature = "kafka", feature = "mongo", feature = "redis", feature = "s3"))]
pub(super) fn read_pem(variable: &'static str, path: &Path) -> Result<String, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in read(variable, path)? {
        roots.add(certificate).map_err(|error| ConfigError::invalid(variable, error))?;
    }
    fs::read_to_string(path).map_err(|error| ConfigError::invalid(variable, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_of_amazons_databases_are_trusted() {
        let roots = trusted([]).unwrap().roots;
        let trusts = |name: &str| {
            roots.iter().any(|root| root.subject.windows(name.len()).any(|window| window == name.as_bytes()))
        };
        assert!(trusts("Amazon RDS eu-central-1 Root CA RSA2048 G1"));
        assert!(trusts("Amazon RDS us-east-1 Root CA ECC384 G1"));
        // Of RDS Proxy, ElastiCache and MSK.
        assert!(trusts("Amazon Root CA 1"));
    }

    #[test]
    fn an_unusable_file_is_an_error_that_names_the_variable() {
        for (path, reason) in [("/nonexistent/ca.pem", "No such file"), ("/dev/null", "it contains no certificate")] {
            let error = trusted([("POSTGRES_CA_FILE", Path::new(path))]).unwrap_err().to_string();
            assert!(error.contains("POSTGRES_CA_FILE") && error.contains(reason), "{error}");
        }
    }
}
