//! Units in the log: their HMAC-SHA-256 (RFC 2104) under a key that is not in the log. So the log
//! shows which rankings belong to one person, but not who that is.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use counterweight_files::{parent_folder, sync_folder};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const KEY_BYTES: usize = 32;
/// Between two attempts to read the key.
const KEY_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of a hash that are logged: no two of 2^32 units share them by chance (2^-65).
const HASH_BYTES: usize = 16;

/// How units are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitRule {
    /// By HMAC-SHA-256 with the key in this file, which is made if it does not exist.
    KeyedHash(PathBuf),
    /// As the caller sent them.
    Raw,
    /// Not at all.
    None,
}

impl UnitRule {
    /// By keyed hash, with a key beside the folder of a log, so that a copy of the log does not
    /// contain the key.
    #[must_use]
    pub fn keyed_beside(log: &Path) -> Self {
        let mut key = OsString::from(log);
        key.push(".key");
        Self::KeyedHash(key.into())
    }
}

/// Writes units as their rule says.
pub struct Units {
    rule: UnitRule,
    keyed: OnceLock<Hmac<Sha256>>,
}

impl Units {
    /// Reads the key where the rule has one. A key that cannot be read is logged: units cannot be
    /// written until [`Units::find_key`] has found it.
    #[must_use]
    pub fn new(rule: UnitRule) -> Self {
        let units = Self {
            rule,
            keyed: OnceLock::new(),
        };
        if let Err(error) = units.read_key() {
            tracing::error!(%error, "the key of the units cannot be read; records with a unit are not logged until it can");
        }
        units
    }

    /// The unit as it is logged; empty for none. `None` while the key is not known.
    pub fn logged(&self, unit: &str) -> Option<String> {
        match &self.rule {
            _ if unit.is_empty() => Some(String::new()),
            UnitRule::KeyedHash(_) => self.hash(unit),
            UnitRule::Raw => Some(unit.to_owned()),
            UnitRule::None => Some(String::new()),
        }
    }

    /// Reads the key as soon as it can be read.
    pub async fn find_key(&self) {
        while self.read_key().is_err() {
            tokio::time::sleep(KEY_PAUSE).await;
        }
    }

    /// Reads the key, or makes one where there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, or does not contain a key.
    fn read_key(&self) -> io::Result<()> {
        let UnitRule::KeyedHash(path) = &self.rule else {
            return Ok(());
        };
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(path),
            read => read,
        };
        let keyed = text.and_then(|text| {
            let key = hex::decode(text.trim()).ok();
            let key = key.filter(|key| key.len() == KEY_BYTES);
            let keyed = key.and_then(|key| Hmac::new_from_slice(&key).ok());
            keyed.ok_or_else(|| io::Error::other("this is not a key of 64 hexadecimal digits"))
        });
        let path = path.display();
        let keyed = keyed.map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        let _ = self.keyed.set(keyed);
        Ok(())
    }

    /// The hash of a unit; none while the key is not known.
    fn hash(&self, unit: &str) -> Option<String> {
        let mut keyed = self.keyed.get()?.clone();
        keyed.update(unit.as_bytes());
        let hash = keyed.finalize().into_bytes();
        Some(hex::encode(&hash[..HASH_BYTES]))
    }
}

impl fmt::Debug for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Units").field(&self.rule).finish()
    }
}

/// Only the owner of the process may read the key.
fn make_key(path: &Path) -> io::Result<String> {
    let key: [u8; KEY_BYTES] = rand::random();
    let text = format!("{}\n", hex::encode(key));
    let folder = parent_folder(path);
    fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(folder)?;
    Ok(text)
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
        let unit = Units::new(UnitRule::KeyedHash(path));
        // RFC 4231, test case 1: a key of 20 bytes 0x0b, which HMAC fills up with zeros.
        let expected = "b0344c61d8db38535ca8afceaf0bf12b";
        assert_eq!(unit.logged("Hi There").unwrap(), expected);
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/unit.key");
        let hash = || {
            let unit = Units::new(UnitRule::KeyedHash(path.clone()));
            unit.logged("u").unwrap()
        };
        assert_eq!(hash(), hash());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "short").unwrap();
        let unit = Units::new(UnitRule::KeyedHash(path));
        assert_eq!(unit.logged("u"), None, "the file does not contain a key");
        assert_eq!(unit.logged("").unwrap(), "", "no unit needs no key");
        let error = unit.read_key().unwrap_err();
        assert!(error.to_string().contains("unit.key"), "{error}");
    }
}
