//! The ports of a stack: one block for each checkout, chosen once and kept.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    checkout::{Checkout, Lock, cache, write_whole},
    failure::{Attempt, Failure, Result},
};

const FIRST: u16 = 17_400;
const SIZE: u16 = 20;
const BLOCKS: u16 = 100;

/// Which ports this checkout's stack has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Ports {
    base: u16,
    /// The HTTP API, when the developer chose its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<u16>,
}

impl Ports {
    /// The HTTP API: `cargo lambda watch`.
    pub(crate) fn api(&self) -> u16 {
        self.api.unwrap_or(self.base)
    }
    /// PostgreSQL.
    pub(crate) fn postgres(&self) -> u16 {
        self.base + 1
    }
    /// MongoDB.
    pub(crate) fn mongo(&self) -> u16 {
        self.base + 2
    }
    /// Redis.
    pub(crate) fn redis(&self) -> u16 {
        self.base + 3
    }
    /// Kafka's broker.
    pub(crate) fn kafka(&self) -> u16 {
        self.base + 4
    }
    /// Kafka's controller.
    pub(crate) fn kafka_controller(&self) -> u16 {
        self.base + 5
    }
    /// MinIO.
    pub(crate) fn minio(&self) -> u16 {
        self.base + 6
    }
    /// SQS: `ElasticMQ`.
    pub(crate) fn elasticmq(&self) -> u16 {
        self.base + 7
    }

    /// The stand-in of a service of the platform, by its place among [`crate::services::ALL`].
    pub(crate) fn service(&self, place: u16) -> u16 {
        self.base + 8 + place
    }

    /// The ports that this checkout was given before, if it was.
    pub(crate) fn load(checkout: &Checkout) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file(checkout.root())).ok()?).ok()
    }

    /// The ports of this checkout: those it has, or else the first block that no other checkout has and nobody holds.
    pub(crate) fn claim(checkout: &Checkout, api: Option<u16>) -> Result<Self> {
        let cache = cache()?;
        let _lock = Lock::wait(&cache.join("ports.lock"), "another checkout is choosing its ports")?;
        let mut ports = match Self::load(checkout) {
            Some(ports) => ports,
            None => Self { base: choose(&claims(&cache), checkout.root(), free)?, api: None },
        };
        ports.api = api.or(ports.api);
        let text = serde_json::to_string(&ports).attempt(|| "The ports cannot be written down".into())?;
        write_whole(&file(checkout.root()), &text)?;
        let claim = cache.join(format!("ports-{}", ports.base));
        write_whole(&claim, &checkout.root().display().to_string())?;
        Ok(ports)
    }
}

fn file(root: &Path) -> PathBuf {
    root.join(".local/ports.json")
}

/// Which checkout each block was given to.
fn claims(cache: &Path) -> Vec<(u16, PathBuf)> {
    let claim = |base: u16| Some((base, fs::read_to_string(cache.join(format!("ports-{base}"))).ok()?.into()));
    bases().filter_map(claim).collect()
}

fn bases() -> impl Iterator<Item = u16> {
    (0..BLOCKS).map(|block| FIRST + block * SIZE)
}

fn choose(claims: &[(u16, PathBuf)], root: &Path, free: impl Fn(u16) -> bool) -> Result<u16> {
    let holds = |owner: &PathBuf, base: u16| {
        let theirs = fs::read_to_string(file(owner)).ok().and_then(|text| serde_json::from_str::<Ports>(&text).ok());
        owner != root && theirs.is_some_and(|ports| ports.base == base)
    };
    bases()
        .find(|base| {
            let claimed = claims.iter().any(|(claimed, owner)| claimed == base && holds(owner, *base));
            !claimed && (*base..base + SIZE).all(&free)
        })
        .ok_or_else(|| {
            let last = FIRST + BLOCKS * SIZE - 1;
            Failure::new("No ports are left", format!("every block of {SIZE} from {FIRST} to {last} is in use"))
                .remedy("End what holds them, or `cargo dev down --wipe` in checkouts that you no longer need")
        })
}

/// Whether nobody listens there.
pub(crate) fn free(port: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrInUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_that_is_wholly_free_is_chosen() {
        let root = Path::new("/nowhere/mine");
        assert_eq!(choose(&[], root, |_| true).unwrap(), FIRST);
        assert_eq!(choose(&[], root, |port| port != FIRST + 7).unwrap(), FIRST + SIZE);
        assert!(choose(&[], root, |_| false).is_err());
    }

    #[test]
    fn a_block_of_another_checkout_is_left_alone_even_while_its_stack_is_down() {
        let theirs = std::env::temp_dir().join(format!("landlord-ports-{}", std::process::id()));
        fs::create_dir_all(theirs.join(".local")).unwrap();
        fs::write(file(&theirs), format!(r#"{{"base":{FIRST}}}"#)).unwrap();
        let claims = [(FIRST, theirs.clone())];
        let mine = Path::new("/nowhere/mine");
        assert_eq!(choose(&claims, mine, |_| true).unwrap(), FIRST + SIZE);
        assert_eq!(choose(&claims, &theirs, |_| true).unwrap(), FIRST);
        fs::remove_dir_all(&theirs).unwrap();
        assert_eq!(choose(&claims, mine, |_| true).unwrap(), FIRST, "a checkout that is gone holds nothing");
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_free() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(!free(port));
        drop(held);
        assert!(free(port));
    }
}
