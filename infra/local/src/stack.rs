//! The stack of this checkout, as every command uses it.

use crate::{
    certificates,
    checkout::Checkout,
    environment::{self, ExternalServers},
    error::{DevError, Result},
    ports::Ports,
    probe::Endpoint,
    secrets::Secrets,
};

#[derive(Clone)]
pub(crate) struct LocalStack {
    pub(crate) checkout: Checkout,
    pub(crate) ports: Ports,
    pub(crate) secrets: Secrets,
    pub(crate) external: ExternalServers,
}

impl LocalStack {
    /// Creates the stack if it does not exist, and records the external servers that the environment names now.
    pub(crate) fn create(checkout: Checkout, api_port: Option<u16>) -> Result<Self> {
        let ports = Ports::claim(&checkout, api_port)?;
        let secrets = Secrets::load_or_generate(&checkout)?;
        certificates::ensure(&checkout)?;
        let external = ExternalServers::from_environment(&ports);
        external.save(&checkout)?;
        Ok(Self { checkout, ports, secrets, external })
    }

    /// The stack as the last `up` left it.
    pub(crate) fn load(checkout: Checkout) -> Result<Self> {
        let ports = Ports::load(&checkout).ok_or_else(|| {
            DevError::new("This checkout has no stack", "it was never started").remedy("Run `cargo dev up`")
        })?;
        let secrets = Secrets::load_or_generate(&checkout)?;
        let external = ExternalServers::load(&checkout);
        Ok(Self { checkout, ports, secrets, external })
    }

    /// The stack for stopping it, `None` if the checkout has none. Stopping needs no secrets, so secrets that cannot be read,
    /// because another version wrote them, do not prevent it.
    pub(crate) fn load_to_stop(checkout: Checkout) -> Result<Option<Self>> {
        let Some(ports) = Ports::load(&checkout) else { return Ok(None) };
        let secrets = match Secrets::load_or_generate(&checkout) {
            Ok(secrets) => secrets,
            Err(_) => Secrets::generate()?,
        };
        let external = ExternalServers::load(&checkout);
        Ok(Some(Self { checkout, ports, secrets, external }))
    }

    /// The functions' environment.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let authority = certificates::authority(&self.checkout);
        environment::variables(&self.ports, &self.secrets, &authority, &self.external)
    }

    /// The functions' environment, as `KEY=value` lines.
    pub(crate) fn environment(&self) -> String {
        self.variables().iter().fold(String::new(), |text, (name, value)| text + name + "=" + value + "\n")
    }

    /// The local server on a port, for probes.
    pub(crate) fn endpoint(&self, port: u16) -> Endpoint {
        Endpoint { port, authority: certificates::authority(&self.checkout) }
    }

    pub(crate) fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.api())
    }
}
