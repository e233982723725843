//! What the TLS of a failed connection did not accept.

use std::{error::Error as StdError, io};

use rustls::{CertificateError, Error as TlsError};

/// Why a peer was not accepted, if that is why the connection failed: it does not speak TLS, or its certificate is not valid.
/// Unlike a peer that cannot be reached, this does not pass by itself.
pub fn tls_problem(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(cause) = next {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(problem) =
            inner.and_then(|inner| inner.downcast_ref()).or_else(|| cause.downcast_ref()).and_then(describe)
        {
            return Some(problem);
        }
        // The errors of these libraries contain the cause as text only.
        let text = cause.to_string();
        if cause.source().is_none()
            && let Some((_, problem)) = TEXTS.into_iter().find(|(part, _)| text.contains(part))
        {
            return Some(problem);
        }
        next = cause.source();
    }
    None
}

const UNKNOWN_ISSUER: &str = "no trusted authority issued the server's certificate";
const WRONG_NAME: &str = "the server's certificate is for another host name";
const EXPIRED: &str = "the server's certificate has expired";
const INVALID_BROKER: &str = "no trusted authority issued the server's certificate, or it is for another host name";
const NO_TLS: &str = "the server does not speak TLS";

/// Parts of messages: of PostgreSQL's client, of MongoDB's, which contains the text of rustls, and of librdkafka.
const TEXTS: [(&str, &str); 8] = [
    ("server does not support TLS", NO_TLS),
    ("invalid peer certificate: UnknownIssuer", UNKNOWN_ISSUER),
    ("invalid peer certificate: certificate not valid for name", WRONG_NAME),
    ("invalid peer certificate: certificate expired", EXPIRED),
    ("InvalidContentType", NO_TLS),
    // librdkafka says the same of both.
    ("broker certificate could not be verified", INVALID_BROKER),
    ("SSL routines::wrong version number", NO_TLS),
    ("connecting to a PLAINTEXT broker listener", NO_TLS),
];

fn describe(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::InvalidMessage(_) => Some(NO_TLS),
        TlsError::InvalidCertificate(problem) => Some(match problem {
            CertificateError::UnknownIssuer => UNKNOWN_ISSUER,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => WRONG_NAME,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => EXPIRED,
            _ => "the server's certificate is not valid",
        }),
        _ => None,
    }
}
