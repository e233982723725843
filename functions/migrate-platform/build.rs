//! The migrations are embedded, and a new file alone would not build the function anew.

fn main() {
    println!("cargo:rerun-if-changed=../../infra/migrations");
}
