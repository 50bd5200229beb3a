//! The one place where calls are authorised.

use tonic::metadata::MetadataMap;

use crate::error::RequestError;

/// What a call needs to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// To rank, and to read what is served.
    Rank,
    /// To read weights and their history.
    ReadWeights,
    /// To move weights.
    ChangeWeights,
    /// To put the safe sets in force.
    KillWeights,
}

/// Refuses a call that its caller may not make. There are no roles yet: everyone who reaches the
/// port may do everything, so the port belongs on a network of trusted callers.
pub(crate) fn authorise(
    permission: Permission,
    metadata: &MetadataMap,
) -> Result<(), RequestError> {
    let _ = (permission, metadata);
    Ok(())
}
