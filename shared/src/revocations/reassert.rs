//! The re-assertion of the live list: it becomes what the platform database contains.

use deadpool_postgres::GenericClient;

use crate::{
    error::{Dependency, Error, Result},
    revocations::{
        live_list::{Generation, LiveList},
        store::live::{self, Unexpired},
    },
};

/// How often it is tried, if Redis loses its data meanwhile.
const ATTEMPTS: usize = 3;

/// Adds the impersonations that are live, and denies those that have ended. Returns how many live ones were missing. Needs no
/// Redis while no impersonation is younger than its expiry.
pub async fn reassert(client: &impl GenericClient, live_list: &LiveList) -> Result<usize> {
    if !live::exist_unexpired(client).await? {
        return Ok(0);
    }
    for _ in 0..ATTEMPTS {
        // In this order: `live_list` contains the proof.
        let generation = live_list.generation().await?;
        let unexpired = live::list_unexpired(client).await?;
        if let Some(added) = write(live_list, &generation, &unexpired).await? {
            return Ok(added);
        }
    }
    Err(Error::Unavailable { dependency: Dependency::Redis, source: None })
}

/// Writes rows that were read after the generation. `None` if Redis has lost its data since then.
pub async fn write(live_list: &LiveList, generation: &Generation, unexpired: &[Unexpired]) -> Result<Option<usize>> {
    let (mut live, mut ended, mut suspended) = (Vec::new(), Vec::new(), Vec::new());
    for one in unexpired {
        if one.is_live {
            live.push(one.impersonation);
        } else if one.has_ended {
            ended.push(one.denial());
        } else {
            suspended.push(one.impersonation.id);
        }
    }
    live_list.write(&ended).await?;
    live_list.remove(&suspended).await?;
    live_list.add(generation, &live).await
}
