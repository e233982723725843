//! Embeds the files of `assets`, which `cargo dev console` builds from `web`. Without them, the function shows how to build them.

use std::{env, error::Error, fmt::Write, fs, path::Path, path::PathBuf};

const FILES: &str = "assets";

/// The types of files that the build of the console creates.
const CONTENT_TYPES: [(&str, &str); 5] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
];

#[expect(clippy::disallowed_methods, reason = "cargo passes the folders in the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={FILES}");
    println!("cargo:rerun-if-changed=build");
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("files.rs"), table(&package.join(FILES), &out)?)?;
    Ok(())
}

/// An expression: the table of the files, each with its compressed forms. The files are copied, because a build of the console may
/// replace them before they are compiled.
fn table(folder: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    let mut table = "&[\n".to_owned();
    for name in &names {
        let Some((_, content_type)) = CONTENT_TYPES.iter().find(|(end, _)| name.ends_with(&format!(".{end}"))) else {
            continue;
        };
        let copy = |name: &str| {
            let copied = fs::copy(folder.join(name), out.join(name)).ok();
            copied.map(|_| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))", format!("/{name}")))
        };
        let compressed = |end: &str| {
            copy(&format!("{name}{end}")).map_or_else(|| "None".to_owned(), |bytes| format!("Some({bytes}.as_slice())"))
        };
        let Some(body) = copy(name) else { continue };
        let [brotli, gzip] = [".br", ".gz"].map(compressed);
        writeln!(
            table,
            "    Embedded {{ name: {name:?}, content_type: {content_type:?}, body: {body}, \
             compressed: Compressed {{ brotli: {brotli}, gzip: {gzip} }} }},"
        )?;
    }
    Ok(table + "]\n")
}
