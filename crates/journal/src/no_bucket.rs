//! What takes the place of a bucket in a program that is built without object storage: none can be
//! opened.

use bytes::Bytes;

use crate::store_options::{Place, StoreOptions};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bucket {}

impl Bucket {
    pub(crate) fn open(place: &Place<'_>, _options: &StoreOptions) -> Result<Self, String> {
        let folders = place.prefix.join("/");
        Err(format!(
            "this program was built without object storage and cannot use {}/{folders}; build it \
             with the feature `object-store`, or leave the store out",
            place.bucket
        ))
    }

    #[allow(clippy::unused_async, reason = "as that of a bucket")]
    pub(crate) async fn put(&self, _name: &str, _bytes: Bytes) -> Result<bool, String> {
        match *self {}
    }
}
