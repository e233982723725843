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

    /// The stack as it is to be stopped; `None` where there is none. Secrets of another version are of no use for anything
    /// but that, which needs none: what runs has to be stopped all the same, and before its data are removed.
    pub(crate) fn load_to_stop(checkout: Checkout) -> Result<Option<Self>> {
        let Some(ports) = Ports::load(&checkout) else { return Ok(None) };
        let secrets = match Secrets::load_or_make(&checkout) {
            Ok(secrets) => secrets,
            Err(_) => Secrets::make()?,
        };
        let given = Given::load(&checkout);
        Ok(Some(Self { checkout, ports, secrets, given }))
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
