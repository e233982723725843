//! `cargo dev up`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    commands::{attach, output::print},
    environment::FIRST_ADMIN_EMAIL,
    error::Result,
    functions,
    install::system,
    servers,
    stack::LocalStack,
    startup::{self, UpOptions},
};

/// Brings up the stack and prints how to use it. Stays in the foreground unless `--detach` is given.
pub(crate) fn run(checkout: Checkout, options: &UpOptions) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, options)?;
    print(&summary(&stack, options.servers_only));
    if options.detach || options.servers_only {
        return Ok(ExitCode::SUCCESS);
    }
    attach::run(&stack)
}

fn summary(stack: &LocalStack, servers_only: bool) -> String {
    let mut lines = vec![String::new()];
    for server in servers::ALL {
        let address = match stack.external.get(server.variable()) {
            None => format!("127.0.0.1:{}", server.ports(stack)[0]),
            Some(_) => format!("yours, named by {}", server.variable()),
        };
        lines.push(format!("  {:<10} {address}", server.name()));
    }
    lines.push(String::new());
    if servers_only {
        lines.push("The servers are up. Variables for programs: cargo dev env".to_owned());
        lines.push("To run the functions yourself, and the emulator of AWS's triggers in another terminal:".to_owned());
        lines.push(format!(
            "  env $(cargo dev env) {} lambda watch --invoke-address 127.0.0.1 --invoke-port {}",
            cargo_lambda(),
            stack.ports.api()
        ));
        lines.push("  env $(cargo dev env) cargo run --bin emulator".to_owned());
    } else {
        lines.push(format!("The API: {}/api/super-admin", stack.api_url()));
        lines.push(format!(
            "The super-admin: {FIRST_ADMIN_EMAIL}; the password is FIRST_ADMIN_PASSWORD in `cargo dev env`, stored in {}",
            stack.checkout.local("secrets/secrets.json").display()
        ));
        lines.push(format!("The console: {}/console", stack.api_url()));
        lines.push("Try:".to_owned());
        lines.push(format!(
            "  curl -H \"Authorization: Bearer $(cargo dev token)\" {}/api/super-admin/tenants",
            stack.api_url()
        ));
    }
    lines.push("Other commands: cargo dev status | logs [NAME] [--follow] | test | down [--wipe]".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// The program to run as `PROGRAM lambda watch` in a shell.
fn cargo_lambda() -> String {
    match functions::CARGO_LAMBDA.install() {
        Ok(program) if !system::is_on_path("cargo-lambda") => program.display().to_string(),
        _ => "cargo".to_owned(),
    }
}
