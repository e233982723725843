//! Renders `infra/openapi.json` as the reference page, at build time and without network access.

mod curl;
mod markdown;
mod operation;
mod page;
mod schema;

use std::{env, error::Error, fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

const DOCUMENT: &str = "../../infra/openapi.json";
const STYLE: &str = include_str!("style.css");
const SEARCH: &str = include_str!("search.js");

#[expect(clippy::disallowed_methods, reason = "cargo passes the output folder in the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={DOCUMENT}");
    println!("cargo:rerun-if-changed=build");
    let document = serde_json::from_str(&fs::read_to_string(DOCUMENT)?)?;
    let page = page::render(&document, STYLE, SEARCH).into_string();
    // The policy permits only the page's own style sheet and script, by their digests.
    let [style, script] = [STYLE, SEARCH].map(|text| STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("docs.html"), page)?;
    fs::write(out.join("policy.txt"), policy)?;
    Ok(())
}
