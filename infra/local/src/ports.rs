//! The ports of a stack. Each checkout has one block of ports, chosen once and kept.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    checkout::{Checkout, FileLock, cache, write_file},
    error::{DevError, ErrorContext, Result},
};

const FIRST: u16 = 17_400;
const SIZE: u16 = 20;
const BLOCKS: u16 = 100;

/// The ports of this checkout's stack.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Ports {
    base: u16,
    /// The port of the HTTP API, when the developer chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<u16>,
}

impl Ports {
    /// `cargo lambda watch`, which serves the HTTP API.
    pub(crate) fn api(&self) -> u16 {
        self.api.unwrap_or(self.base)
    }

    pub(crate) fn postgres(&self) -> u16 {
        self.base + 1
    }

    pub(crate) fn mongo(&self) -> u16 {
        self.base + 2
    }

    pub(crate) fn redis(&self) -> u16 {
        self.base + 3
    }

    pub(crate) fn kafka(&self) -> u16 {
        self.base + 4
    }

    pub(crate) fn kafka_controller(&self) -> u16 {
        self.base + 5
    }

    pub(crate) fn minio(&self) -> u16 {
        self.base + 6
    }

    /// `ElasticMQ`, which stands in for SQS.
    pub(crate) fn elasticmq(&self) -> u16 {
        self.base + 7
    }

    /// The stand-in of a service of the platform, by its index.
    pub(crate) fn service(&self, index: u16) -> u16 {
        self.base + 8 + index
    }

    /// The stand-in of the identity provider.
    pub(crate) fn identity_provider(&self) -> u16 {
        self.base + 12
    }

    /// Whether a text contains an address in this block.
    pub(crate) fn occur_in(&self, text: &str) -> bool {
        (self.base..self.base + SIZE).any(|port| text.contains(&format!("127.0.0.1:{port}")))
    }

    /// The ports that were chosen for this checkout, if any were.
    pub(crate) fn load(checkout: &Checkout) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file(checkout.root())).ok()?).ok()
    }

    /// The ports of this checkout. Without any, the first block is chosen that is free and belongs to no other checkout.
    pub(crate) fn claim(checkout: &Checkout, api: Option<u16>) -> Result<Self> {
        let cache = cache()?;
        let _lock = FileLock::wait(&cache.join("ports.lock"), "another checkout is choosing its ports")?;
        let mut ports = match Self::load(checkout) {
            Some(ports) => ports,
            None => Self { base: choose(&claims(&cache), checkout.root(), is_free)?, api: None },
        };
        ports.api = api.or(ports.api);
        let text = serde_json::to_string(&ports).context(|| "The ports cannot be saved".into())?;
        write_file(&file(checkout.root()), &text)?;
        let claim = cache.join(format!("ports-{}", ports.base));
        write_file(&claim, &checkout.root().display().to_string())?;
        Ok(ports)
    }
}

fn file(root: &Path) -> PathBuf {
    root.join(".local/ports.json")
}

/// The checkout that each block was chosen for.
fn claims(cache: &Path) -> Vec<(u16, PathBuf)> {
    let claim = |base: u16| Some((base, fs::read_to_string(cache.join(format!("ports-{base}"))).ok()?.into()));
    bases().filter_map(claim).collect()
}

fn bases() -> impl Iterator<Item = u16> {
    (0..BLOCKS).map(|block| FIRST + block * SIZE)
}

fn choose(claims: &[(u16, PathBuf)], root: &Path, is_free: impl Fn(u16) -> bool) -> Result<u16> {
    let owns = |owner: &PathBuf, base: u16| {
        let other = fs::read_to_string(file(owner)).ok().and_then(|text| serde_json::from_str::<Ports>(&text).ok());
        owner != root && other.is_some_and(|ports| ports.base == base)
    };
    bases()
        .find(|base| {
            let claimed = claims.iter().any(|(claimed, owner)| claimed == base && owns(owner, *base));
            !claimed && (*base..base + SIZE).all(&is_free)
        })
        .ok_or_else(|| {
            let last = FIRST + BLOCKS * SIZE - 1;
            DevError::new(
                "No block of ports is free",
                format!("every block of {SIZE} from {FIRST} to {last} is in use"),
            )
            .remedy(
                "Stop the programs that use them, or run `cargo dev down --wipe` in checkouts that you no longer need",
            )
        })
}

/// Whether no program listens on the port.
pub(crate) fn is_free(port: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrInUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_with_every_port_free_is_chosen() {
        let root = Path::new("/nowhere/own");
        assert_eq!(choose(&[], root, |_| true).unwrap(), FIRST);
        assert_eq!(choose(&[], root, |port| port != FIRST + 7).unwrap(), FIRST + SIZE);
        assert!(choose(&[], root, |_| false).is_err());
    }

    #[test]
    fn the_block_of_another_checkout_is_not_chosen_while_its_stack_is_down() {
        let other = std::env::temp_dir().join(format!("landlord-ports-{}", std::process::id()));
        fs::create_dir_all(other.join(".local")).unwrap();
        fs::write(file(&other), format!(r#"{{"base":{FIRST}}}"#)).unwrap();
        let claims = [(FIRST, other.clone())];
        let own = Path::new("/nowhere/own");
        assert_eq!(choose(&claims, own, |_| true).unwrap(), FIRST + SIZE);
        assert_eq!(choose(&claims, &other, |_| true).unwrap(), FIRST);
        fs::remove_dir_all(&other).unwrap();
        assert_eq!(choose(&claims, own, |_| true).unwrap(), FIRST, "a checkout that was removed owns no ports");
    }

    #[test]
    fn a_port_with_a_listener_is_not_free() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(!is_free(port));
        drop(held);
        assert!(is_free(port));
    }
}
