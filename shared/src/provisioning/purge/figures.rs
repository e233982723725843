//! What existed in a store before it was removed, as recorded in the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    operations::StepName,
    provisioning::{
        progress,
        step::{StepContext, StepError},
    },
};

/// Numbers by what they count, such as `rows` and `bytes`.
pub(super) type Figures = BTreeMap<String, i64>;

/// What a step has counted, and how far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// What existed, as far as it was counted.
    pub(super) existed: Figures,
    /// The newest key that was counted, and the versions of it.
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) versions: Vec<String>,
}

impl Progress {
    /// `None` before anything is counted.
    pub(super) async fn load(context: &StepContext<'_>, step: StepName) -> Result<Option<Self>, StepError> {
        progress::find(context, step).await
    }

    /// Records what exists, unless an earlier attempt has: what is left now is not all that existed.
    pub(super) async fn begin(
        context: &StepContext<'_>,
        step: StepName,
        count: impl AsyncFnOnce() -> Result<Figures, StepError>,
    ) -> Result<(), StepError> {
        if Self::load(context, step).await?.is_some() {
            return Ok(());
        }
        Self { existed: count().await?, ..Self::default() }.save(context, step).await
    }

    /// Must happen before what was counted is removed.
    pub(super) async fn save(&self, context: &StepContext<'_>, step: StepName) -> Result<(), StepError> {
        progress::save(context, step, self).await
    }
}

pub(super) fn figures<const N: usize>(of: [(&str, i64); N]) -> Figures {
    of.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// What existed and was removed in each store. A step that has succeeded has removed everything that it had counted.
pub(super) async fn of_all(context: &StepContext<'_>) -> Result<Value, StepError> {
    let stores = [
        (StepName::PostgresqlRemoval, "postgresql", &*context.placement.postgres_cluster),
        (StepName::MongodbRemoval, "mongodb", &*context.placement.mongo_cluster),
        (StepName::ObjectRemoval, "object_storage", ""),
        (StepName::RedisRemoval, "redis", ""),
    ];
    let mut all = Vec::new();
    for (step, store, cluster) in stores {
        let existed = Progress::load(context, step).await?.unwrap_or_default().existed;
        all.push(json!({ "store": store, "cluster": cluster, "existed": existed, "removed": existed }));
    }
    Ok(all.into())
}
