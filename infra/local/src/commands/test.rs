//! `cargo dev test`, and `cargo dev openapi`, which is one test that writes.

use std::process::{Command, ExitCode};

use crate::{
    checkout::Checkout,
    commands::{down, up},
    failure::{Attempt, Result},
    functions,
    install::python::Wheel,
    process, servers,
    stack::Stack,
    supervisor,
};

/// Tests an API by its description.
const SCHEMATHESIS: Wheel = Wheel {
    name: "schemathesis",
    version: "4.32.5",
    requirements: include_str!("../../requirements/schemathesis.txt"),
    program: "bin/schemathesis",
};

/// Tells the tests where it is.
const SCHEMATHESIS_VARIABLE: &str = "SCHEMATHESIS";

/// A JWT library of another language, which verifies the tokens that the platform's services get.
const PYJWT: Wheel = Wheel {
    name: "pyjwt",
    version: "2.15.1",
    requirements: include_str!("../../requirements/pyjwt.txt"),
    program: "jwt/__init__.py",
};

/// Tells the tests where it is.
const PYJWT_VARIABLE: &str = "PYJWT";

/// Brings up the whole stack, runs the workspace's tests, and takes down again what was not up before.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let before = Before::look(&checkout);
    let stack = up::bring_up(checkout, &up::Options::default())?;
    let mut cargo = functions::cargo(&stack.checkout);
    cargo.arg("test").env(SCHEMATHESIS_VARIABLE, SCHEMATHESIS.install()?).env(PYJWT_VARIABLE, PYJWT.install()?);
    // Whoever names packages means those alone.
    let named = |argument: &String| argument == "--package" || argument.starts_with("-p");
    if !arguments.iter().take_while(|argument| *argument != "--").any(named) {
        cargo.arg("--workspace");
    }
    cargo.args(arguments);
    carry_out(cargo, &stack, &before)
}

/// Writes `infra/openapi.json` anew, as the code has it now.
pub(crate) fn write_openapi(checkout: Checkout) -> Result<ExitCode> {
    let before = Before::look(&checkout);
    let stack = up::bring_up(checkout, &up::Options { servers_only: true, ..up::Options::default() })?;
    let mut cargo = functions::cargo(&stack.checkout);
    cargo.args(["test", "--quiet", "--package", "tests", "--test", "openapi", "checked_in"]).env("UPDATE_OPENAPI", "1");
    carry_out(cargo, &stack, &before)
}

fn carry_out(mut cargo: Command, stack: &Stack, before: &Before) -> Result<ExitCode> {
    functions::equip(&mut cargo, stack);
    let outcome = cargo.status().attempt(|| "The tests cannot be run".into());
    before.restore(stack)?;
    Ok(if outcome?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was up.
struct Before {
    servers: bool,
    functions: bool,
}

impl Before {
    fn look(checkout: &Checkout) -> Self {
        Self {
            servers: servers::ALL.iter().any(|server| process::recorded(checkout, server.name()).is_some()),
            functions: supervisor::wanted(checkout),
        }
    }

    fn restore(&self, stack: &Stack) -> Result<()> {
        if !self.servers {
            down::run(&stack.checkout, false)?;
        } else if !self.functions {
            let _lock = stack.checkout.lock()?;
            supervisor::stop(stack);
        }
        Ok(())
    }
}
