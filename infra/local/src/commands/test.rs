//! `cargo dev test`

use std::process::ExitCode;

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
    cargo.arg("test").env(PYJWT_VARIABLE, PYJWT.install()?);
    // Whoever names packages means those alone.
    let named = |argument: &String| argument == "--package" || argument.starts_with("-p");
    if !arguments.iter().take_while(|argument| *argument != "--").any(named) {
        cargo.arg("--workspace");
    }
    cargo.args(arguments);
    functions::equip(&mut cargo, &stack);
    let outcome = cargo.status().attempt(|| "The tests cannot be run".into());
    before.restore(&stack)?;
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
