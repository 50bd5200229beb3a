//! Units in the log: their HMAC-SHA-256 (RFC 2104) under a key that is not in the log, so that the
//! log tells which rankings are of one person and not of whom.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::OnceLock,
};

use counterweight_files::{parent_folder, sync_folder};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const KEY_BYTES: usize = 32;
/// Bytes of a hash that are logged: no two of 2^32 units share them by chance (2^-65).
const HASH_BYTES: usize = 16;

/// Hashes units.
pub(super) struct UnitHash {
    path: PathBuf,
    keyed: OnceLock<Hmac<Sha256>>,
}

impl UnitHash {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            keyed: OnceLock::new(),
        }
    }

    /// Reads the key, or makes one where there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, or is no key.
    pub(super) fn read_key(&self) -> io::Result<()> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_key(),
            read => read,
        };
        let keyed = text.and_then(|text| {
            let key = hex::decode(text.trim()).ok();
            let key = key.filter(|key| key.len() == KEY_BYTES);
            let keyed = key.and_then(|key| Hmac::new_from_slice(&key).ok());
            keyed.ok_or_else(|| io::Error::other("this is not a key of 64 hexadecimal digits"))
        });
        let path = self.path.display();
        let keyed = keyed.map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        let _ = self.keyed.set(keyed);
        Ok(())
    }

    /// The hash of a unit; none while the key is not known.
    pub(super) fn hash(&self, unit: &str) -> Option<String> {
        let mut keyed = self.keyed.get()?.clone();
        keyed.update(unit.as_bytes());
        let hash = keyed.finalize().into_bytes();
        Some(hex::encode(&hash[..HASH_BYTES]))
    }

    /// Only the owner of the process may read the key.
    fn make_key(&self) -> io::Result<String> {
        let key: [u8; KEY_BYTES] = rand::random();
        let text = format!("{}\n", hex::encode(key));
        let folder = parent_folder(&self.path);
        fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_hash_is_the_hmac_under_the_key_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unit.key");
        let key = "0b".repeat(20) + &"00".repeat(12);
        fs::write(&path, key).unwrap();
        let unit = UnitHash::new(path);
        assert_eq!(unit.hash("Hi There"), None, "no key was read");
        unit.read_key().unwrap();
        // RFC 4231, test case 1: a key of 20 bytes 0x0b, which HMAC fills up with zeros.
        let expected = "b0344c61d8db38535ca8afceaf0bf12b";
        assert_eq!(unit.hash("Hi There").unwrap(), expected);
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/unit.key");
        let hash = || {
            let unit = UnitHash::new(path.clone());
            unit.read_key().unwrap();
            unit.hash("u").unwrap()
        };
        assert_eq!(hash(), hash());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "short").unwrap();
        let error = UnitHash::new(path.clone()).read_key().unwrap_err();
        assert!(error.to_string().contains("unit.key"), "{error}");
    }
}
