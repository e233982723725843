//! TLS: which authorities are trusted.

use std::{fs, io::Write, net::TcpListener, sync::Arc, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::json;

use crate::{
    Computer,
    server::{Reply, read},
};

/// A server on an address of this computer, and the certificate of its authority in PEM.
fn serve(name: &str) -> (String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            if read(&mut stream).is_some() {
                Reply::json(200, &json!({"id": "t-1"})).write(&mut stream);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    (url, pem)
}

#[test]
fn an_authority_is_trusted_if_the_option_or_the_profile_names_it() {
    let (url, pem) = serve("127.0.0.1");
    let computer = Computer::signed_in(&url);
    let untrusted = computer.run(&["tenants", "get", "1"]);
    assert_eq!((untrusted.code, untrusted.stdout.as_str()), (6, ""));
    assert!(untrusted.stderr.contains("cannot be reached"), "{}", untrusted.stderr);
    let file = computer.folder.join("ca.pem");
    fs::write(&file, pem).unwrap();
    let file = file.to_str().unwrap();
    let trusted = computer.run(&["tenants", "get", "1", "-o", "json", "--ca-file", file]);
    assert_eq!((trusted.code, trusted.json()), (0, json!({"id": "t-1"})), "{}", trusted.stderr);
    computer.write_profiles(&json!({"default": {"url": url, "token": "eyJ", "ca_file": file}}));
    assert_eq!(computer.run(&["tenants", "get", "1"]).code, 0);
    let curl = computer.run(&["tenants", "get", "1", "--curl"]);
    assert!(curl.stdout.contains(&format!("--cacert '{file}'")), "{}", curl.stdout);
    for (content, reason) in
        [("", "no certificate"), ("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n", "ca.pem")]
    {
        fs::write(file, content).unwrap();
        let refused = computer.run(&["tenants", "get", "1"]);
        assert!(refused.code == 1 && refused.stderr.contains(reason), "{}", refused.stderr);
    }
}

#[test]
fn a_certificate_of_another_name_is_not_accepted() {
    let (url, pem) = serve("landlord.example.com");
    let computer = Computer::signed_in(&url);
    let file = computer.folder.join("ca.pem");
    fs::write(&file, pem).unwrap();
    let refused = computer.run(&["tenants", "get", "1", "--ca-file", file.to_str().unwrap()]);
    assert_eq!((refused.code, refused.stdout.as_str()), (6, ""), "{}", refused.stderr);
}
