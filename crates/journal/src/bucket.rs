//! A bucket of S3, or of a server that speaks it.

use bytes::Bytes;
use object_store::{
    ClientConfigKey, Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload,
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
    path::{Path, PathPart},
};

use crate::store_options::{Place, StoreOptions};

/// How much is shown of an error, whose text may have the answer of the server.
const SHOWN: usize = 300;

/// A bucket, and the folder in it that parts are put below.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    store: AmazonS3,
    prefix: Path,
}

impl Bucket {
    /// The bucket, with what the environment says: credentials, and all that the options leave out.
    pub(crate) fn open(place: &Place<'_>, options: &StoreOptions) -> Result<Self, String> {
        Self::build(AmazonS3Builder::from_env(), place, options)
    }

    /// The bucket, with credentials that are no secret.
    #[cfg(feature = "test")]
    pub(crate) fn open_for_test(place: &Place<'_>, options: &StoreOptions) -> Result<Self, String> {
        let builder = AmazonS3Builder::new()
            .with_access_key_id("test")
            .with_secret_access_key("test");
        Self::build(builder, place, options)
    }

    fn build(
        mut builder: AmazonS3Builder,
        place: &Place<'_>,
        options: &StoreOptions,
    ) -> Result<Self, String> {
        if let Some(endpoint) = &options.endpoint {
            // An endpoint for S3 alone, from the environment, would be preferred to the other.
            builder = builder
                .with_endpoint(endpoint)
                .with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        if let Some(region) = &options.region {
            builder = builder.with_region(region);
        }
        if options.allow_http {
            builder = builder.with_allow_http(true);
        }
        let store = builder
            .with_bucket_name(place.bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // The caller bounds an upload by its size, and 30 s would bound every request.
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), "1 day")
            // What fails is counted and shown, and then tried again by the thread of the log.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .build()
            .map_err(text)?;
        Ok(Self {
            store,
            prefix: place
                .prefix
                .iter()
                .map(|name| PathPart::from(*name))
                .collect(),
        })
    }

    /// Makes an object unless there is one of its name. True when the object now has these bytes,
    /// false when it has others.
    pub(crate) async fn put(&self, name: &str, bytes: Bytes) -> Result<bool, String> {
        let names = self
            .prefix
            .parts()
            .chain(name.split('/').map(PathPart::from));
        let path: Path = names.collect();
        let payload = PutPayload::from_bytes(bytes.clone());
        let put = self.store.put_opts(&path, payload, PutMode::Create.into());
        match put.await {
            Ok(_) => Ok(true),
            // Also where the first attempt came through and its answer did not.
            Err(Error::AlreadyExists { .. }) => self.has(&path, &bytes).await.map_err(text),
            Err(error) => Err(text(error)),
        }
    }

    async fn has(&self, path: &Path, bytes: &Bytes) -> Result<bool, Error> {
        let object = self.store.get(path).await?;
        // The length bounds what is read.
        Ok(object.meta.size == bytes.len() as u64 && object.bytes().await? == bytes)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn text(error: Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let end = line
        .char_indices()
        .nth(SHOWN)
        .map_or(line.len(), |(at, _)| at);
    line[..end].to_owned()
}
