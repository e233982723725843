//! The manifest of an export in the bucket.

use aws_sdk_s3::operation::get_object::GetObjectError;
use sha2::{Digest, Sha256};

use super::{Export, ExportStatus, FORMAT, FileCopy, Manifest};
use crate::{
    clients::s3::Bucket,
    error::{Conflict, Dependency, Error, Result},
};

/// A manifest of a terabyte has less.
const MAX_MANIFEST_BYTES: i64 = 32 << 20;

/// A manifest that is the one that the export has written.
#[derive(Debug)]
pub struct StoredManifest {
    pub manifest: Manifest,
    /// The file that contains it.
    pub file: FileCopy,
}

/// Reads the manifest of an export from the bucket. Fails with [`Conflict::ExportNotComplete`] unless the export is complete and has not expired,
/// and with [`Conflict::ExportDamaged`] unless the manifest is what the export has written.
pub async fn read_manifest(bucket: &Bucket, export: &Export) -> Result<StoredManifest> {
    let (ExportStatus::Complete, Some(key), Some(sha256)) =
        (export.status, &export.manifest_key, &export.manifest_sha256)
    else {
        return Err(Conflict::ExportNotComplete { export_status: export.status.as_str() }.into());
    };
    let get = bucket.client().await.get_object().bucket(&bucket.name).key(key);
    let object = match get.send().await {
        Ok(object) => object,
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
            return Err(Conflict::ExportDamaged.into());
        }
        Err(error) => return Err(error.into()),
    };
    if object.content_length().is_none_or(|bytes| bytes > MAX_MANIFEST_BYTES) {
        return Err(Conflict::ExportDamaged.into());
    }
    let stored = object.body.collect().await;
    let bytes = stored.map_err(|error| Error::unavailable(Dependency::S3, error))?.into_bytes();
    if format!("{:x}", Sha256::digest(&bytes)) != *sha256 {
        return Err(Conflict::ExportDamaged.into());
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(Error::internal)?;
    if manifest.format != FORMAT {
        return Err(Error::internal(format!("the manifest has the format {}", manifest.format)));
    }
    let file = FileCopy { key: key.clone(), bytes: bytes.len() as u64, sha256: sha256.clone(), lines: 0 };
    Ok(StoredManifest { manifest, file })
}
