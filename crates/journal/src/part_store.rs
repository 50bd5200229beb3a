//! The object store that the parts of a log are uploaded to.

use std::{fmt, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

#[cfg(feature = "object-store")]
use crate::bucket::Bucket;
#[cfg(not(feature = "object-store"))]
use crate::no_bucket::Bucket;
use crate::store_options::{StoreOptions, StoreOptionsError};

/// How long the upload of a part may take, and how many of its bytes add a second to that.
const PATIENCE: Duration = Duration::from_secs(30);
const BYTES_PER_SECOND: u64 = 1 << 20;

/// An object store that parts are uploaded to.
#[derive(Clone)]
pub struct PartStore {
    url: String,
    patience: Duration,
    bucket: Bucket,
}

impl fmt::Debug for PartStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PartStore").field(&self.url).finish()
    }
}

impl PartStore {
    /// The store, with the credentials of the environment: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, or those that the machine has by its role.
    /// Sends nothing yet.
    ///
    /// # Errors
    /// The options are not valid, or this program was built without object storage.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreOptionsError> {
        let place = options.check()?;
        let bucket = Bucket::open(&place, options);
        let bucket = bucket.map_err(|problem| StoreOptionsError { key: None, problem })?;
        Ok(Self {
            url: options.url.clone(),
            patience: PATIENCE,
            bucket,
        })
    }

    /// The store, with credentials that are no secret, and so much time for an upload.
    ///
    /// # Errors
    /// The options are not valid.
    #[cfg(all(feature = "object-store", feature = "test"))]
    pub fn open_for_test(
        options: &StoreOptions,
        patience: Duration,
    ) -> Result<Self, StoreOptionsError> {
        let bucket = Bucket::open_for_test(&options.check()?, options);
        Ok(Self {
            url: options.url.clone(),
            patience,
            bucket: bucket.map_err(|problem| StoreOptionsError { key: None, problem })?,
        })
    }

    /// Where parts go.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Makes an object unless there is one of its name. True when the object now has these bytes,
    /// false when it has others; an error where neither is certain.
    pub(crate) async fn put(&self, name: &str, bytes: Bytes) -> Result<bool, String> {
        let more = Duration::from_secs(bytes.len() as u64 / BYTES_PER_SECOND);
        let limit = self.patience + more;
        timeout(limit, self.bucket.put(name, bytes))
            .await
            .unwrap_or_else(|_| Err(format!("there is no answer within {} s", limit.as_secs())))
    }
}
