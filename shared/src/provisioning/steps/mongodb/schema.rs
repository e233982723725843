//! The collections of a tenant's MongoDB database: one file each in `infra/migrations/tenant/mongodb`.

use std::sync::LazyLock;

use mongodb::bson::Document;
use serde::Deserialize;

use crate::{error::Error, provisioning::step::StepError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionSchema {
    /// Name of the file.
    #[serde(skip)]
    pub(super) name: String,
    #[serde(rename = "description")]
    _description: String,
    pub(super) validator: Document,
    /// Arguments of the command `createIndexes`. The order of their keys matters.
    pub(super) indexes: Vec<Document>,
}

impl CollectionSchema {
    pub(super) fn index_names(&self) -> impl Iterator<Item = &str> {
        self.indexes.iter().filter_map(|index| index.get_str("name").ok())
    }
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../../infra/migrations/tenant/mongodb/", $name, ".json")))),+]
    };
}

/// Each collection needs a file on the cluster, and each of its indexes another one. The cap of a cluster assumes eight
/// collections.
const FILES: &[(&str, &str)] = files![
    "automations",
    "broadcasts",
    "channels",
    "contacts",
    "conversation_events",
    "conversations",
    "messages",
    "templates",
];

static COLLECTIONS: LazyLock<Result<Vec<CollectionSchema>, String>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, text)| {
            let schema = serde_json::from_str(text).map_err(|error| format!("{name}.json: {error}"))?;
            Ok(CollectionSchema { name: (*name).to_owned(), ..schema })
        })
        .collect()
});

pub(super) fn collections() -> Result<&'static [CollectionSchema], StepError> {
    COLLECTIONS.as_deref().map_err(|error| Error::internal(error.as_str()).into())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn every_file_is_parsed_with_its_keys_in_order() {
        let collections = collections().unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/migrations/tenant/mongodb");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".json", ""))
            .collect();
        assert_eq!(files, collections.iter().map(|collection| collection.name.clone()).collect());
        let messages = collections.iter().find(|collection| collection.name == "messages").unwrap();
        let keys: Vec<_> = messages.indexes[0].get_document("key").unwrap().keys().collect();
        assert_eq!(keys, ["conversation_id", "created_at", "_id"]);
        assert!(collections.iter().all(|c| c.index_names().count() == c.indexes.len()));
    }

    #[test]
    fn a_tenant_has_at_most_as_many_collections_as_a_clusters_cap_assumes() {
        assert!(collections().unwrap().len() <= 8);
    }
}
