//! What this checkout's stack is made of.

use crate::{
    checkout::Checkout,
    environment::{self, Given},
    failure::{Failure, Result},
    ports::Ports,
    secrets::Secrets,
};

/// A checkout's stack: its folders, ports, secrets, and the servers that are not its own.
#[derive(Clone)]
pub(crate) struct Stack {
    /// Where it lives.
    pub(crate) checkout: Checkout,
    /// Where it listens.
    pub(crate) ports: Ports,
    /// What it keeps to itself.
    pub(crate) secrets: Secrets,
    /// Servers that the developer named.
    pub(crate) given: Given,
}

impl Stack {
    /// The stack as `up` shall leave it: made if it is not there, and with the servers that the environment names now.
    pub(crate) fn establish(checkout: Checkout, api: Option<u16>) -> Result<Self> {
        let ports = Ports::claim(&checkout, api)?;
        let secrets = Secrets::load_or_make(&checkout)?;
        let given = Given::read(&ports);
        given.keep(&checkout)?;
        Ok(Self { checkout, ports, secrets, given })
    }

    /// The stack as `up` left it.
    pub(crate) fn load(checkout: Checkout) -> Result<Self> {
        let ports = Ports::load(&checkout).ok_or_else(|| {
            Failure::new("There is no stack here", "it was never started").remedy("Run `cargo dev up`")
        })?;
        let secrets = Secrets::load_or_make(&checkout)?;
        let given = Given::load(&checkout);
        Ok(Self { checkout, ports, secrets, given })
    }

    /// Every variable that the functions read.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        environment::variables(&self.ports, &self.secrets, &self.given)
    }

    /// The same, a `KEY=value` line each.
    pub(crate) fn environment(&self) -> String {
        self.variables().iter().fold(String::new(), |text, (name, value)| text + name + "=" + value + "\n")
    }

    /// Where the HTTP API is.
    pub(crate) fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.api())
    }
}
