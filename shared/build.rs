//! Turns the authorities of Amazon's databases into constants, so that no function parses certificates when it starts.

#![expect(clippy::disallowed_methods, reason = "cargo passes the folder in a variable")]

use std::{env, error::Error, fmt::Write, fs, path::Path};

use rustls_pki_types::{CertificateDer, pem::PemObject};

const CERTIFICATES: &str = "certificates/aws-databases.pem";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={CERTIFICATES}");
    let mut code = "static AWS_DATABASES: &[TrustAnchor<'static>] = &[\n".to_owned();
    for certificate in CertificateDer::pem_file_iter(CERTIFICATES)? {
        let certificate = certificate?;
        let anchor = webpki::anchor_from_trusted_cert(&certificate)?;
        writeln!(
            code,
            r#"TrustAnchor {{ subject: Der::from_slice(b"{}"), subject_public_key_info: Der::from_slice(b"{}"), name_constraints: None }},"#,
            anchor.subject.escape_ascii(),
            anchor.subject_public_key_info.escape_ascii(),
        )?;
        if anchor.name_constraints.is_some() {
            return Err("an authority has name constraints, which would be lost".into());
        }
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("aws_databases.rs"), code)?;
    Ok(())
}
