//! Compares the databases of a restored copy with the export.
//!
//! Both are read as for an export, and only counted. Nobody else can write to them, so that they need not be read at one time.

use std::time::Duration;

use mongodb::bson::Bson;
use serde::{Deserialize, Serialize};

use crate::{
    exports::{Manifest, Sums},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        copy::{self, CollectionReader, Lines, Nowhere, Snapshot, id_from_json, id_to_json, list_collections},
        progress::{load, save},
        step::{Step, StepContext, StepError},
        steps::{mongodb::client, postgresql::open_in_tenant},
    },
};

/// Documents after which it is recorded how far the comparison of a collection is.
const RECORDED: u64 = 100_000;

pub(super) struct Comparison<'a>(pub(super) &'a Manifest);

/// How far the comparison is, as recorded in the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Tables and collections that are equal.
    equal: Vec<String>,
    /// The collection that is being compared: the sums so far, and the last id.
    part: Option<(String, Sums, String)>,
}

impl Step for Comparison<'_> {
    const NAME: StepName = StepName::Comparison;
    const STORE: StoreKind = StoreKind::Mongodb;
    // It only reads.
    const FENCED: bool = true;
    const UNDO_ASKS_STORE: bool = false;
    /// As long as the invocation lasts. The next one goes on where this one stopped.
    const LIMIT: Duration = Duration::from_hours(1);

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let mut progress: Progress = load(context, Self::NAME).await?;
        let tables = self.compare_tables(context, &mut progress).await;
        tables.map_err(|error| error.of_store(StoreKind::Postgresql))?;
        self.compare_collections(context, &mut progress).await
    }

    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

impl Comparison<'_> {
    async fn compare_tables(&self, context: &StepContext<'_>, progress: &mut Progress) -> Result<(), StepError> {
        let snapshot = Snapshot::take(open_in_tenant(context).await?).await?;
        let wanted = &self.0.postgresql.tables;
        if let Some(surplus) =
            snapshot.tables.iter().find(|table| wanted.iter().all(|wanted| wanted.name != table.name))
        {
            return Err(different("table", &surplus.name, "does not exist in the export"));
        }
        for wanted in wanted {
            let name = format!("table {}", wanted.name);
            if progress.equal.contains(&name) {
                continue;
            }
            let found = snapshot.tables.iter().find(|table| table.name == wanted.name);
            let found = found.ok_or_else(|| different("table", &wanted.name, "exists in the export only"))?;
            if found.columns != wanted.columns {
                return Err(different("table", &wanted.name, "has other columns than in the export"));
            }
            let sums = copy::copy(&mut snapshot.read(found).await?, &mut Nowhere).await?;
            require_equal("table", &wanted.name, sums, wanted.content.sums)?;
            progress.equal.push(name);
            save(context, StepName::Comparison, progress).await?;
        }
        Ok(())
    }

    async fn compare_collections(&self, context: &StepContext<'_>, progress: &mut Progress) -> Result<(), StepError> {
        let client = client(context).await?;
        let database = client.database(context.database);
        let wanted = &self.0.mongodb.collections;
        let names = list_collections(&database).await?;
        // A collection without documents need not exist.
        for name in names.iter().chain(wanted.iter().map(|wanted| &wanted.name)) {
            let done = format!("collection {name}");
            if progress.equal.contains(&done) {
                continue;
            }
            let expected = wanted.iter().find(|wanted| wanted.name == *name);
            let expected = expected.map(|wanted| wanted.content.sums).unwrap_or_default();
            let (mut sums, mut after) = match &progress.part {
                Some((part, sums, after)) if part == name => (*sums, Some(id_from_json(after)?)),
                _ => (Sums::default(), None::<Bson>),
            };
            let mut reader = CollectionReader::open(&database, name, None, after.as_ref()).await?;
            while let Some(line) = reader.next().await? {
                sums.add(&line);
                if sums.lines.is_multiple_of(RECORDED) {
                    after = Some(reader.last_id()?);
                    progress.part = after
                        .as_ref()
                        .map(|id| Ok::<_, StepError>((name.clone(), sums, id_to_json(id)?)))
                        .transpose()?;
                    save(context, StepName::Comparison, progress).await?;
                }
            }
            require_equal("collection", name, sums, expected)?;
            progress.part = None;
            progress.equal.push(done);
            save(context, StepName::Comparison, progress).await?;
        }
        Ok(())
    }
}

fn require_equal(kind: &str, name: &str, found: Sums, expected: Sums) -> Result<(), StepError> {
    if found == expected {
        return Ok(());
    }
    let difference = if found.lines == expected.lines {
        "has other contents than in the export".to_owned()
    } else {
        format!("has {} rows, and {} in the export", found.lines, expected.lines)
    };
    Err(different(kind, name, &difference))
}

fn different(kind: &str, name: &str, difference: &str) -> StepError {
    StepError::permanent(format!("After the import, the {kind} `{name}` {difference}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_table() {
        let sums = |lines, checksum| Sums { lines, bytes: 1, checksum };
        assert!(require_equal("table", "users", sums(1, 7), sums(1, 7)).is_ok());
        let fewer = require_equal("table", "users", sums(1, 7), sums(2, 7)).unwrap_err();
        assert_eq!(fewer.reason, "After the import, the table `users` has 1 rows, and 2 in the export");
        let other = require_equal("collection", "messages", sums(1, 7), sums(1, 8)).unwrap_err();
        assert!(other.reason.contains("`messages` has other contents"), "{}", other.reason);
    }
}
