//! Messages that are kept: for each method and each way in which a server answered, the shortest.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::attacks::Answer;

/// The shortest message of each method for each answer, and how often it was answered so.
#[derive(Debug, Clone, Default)]
pub struct Corpus(BTreeMap<(&'static str, Answer), (u64, Vec<u8>)>);

impl Corpus {
    /// Counts an answer, and keeps the message if it is the shortest with that answer.
    pub fn take(&mut self, path: &'static str, answer: Answer, message: Vec<u8>) {
        let entry = self.0.entry((path, answer));
        let (count, kept) = entry.or_insert_with(|| (0, message.clone()));
        *count += 1;
        if message.len() < kept.len() {
            *kept = message;
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        for ((path, answer), (count, message)) in other.0 {
            self.take(path, answer.clone(), message);
            if let Some((own, _)) = self.0.get_mut(&(path, answer)) {
                *own += count - 1;
            }
        }
    }

    /// Every method and answer, how often it was given, and the shortest message.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &Answer, u64, &[u8])> {
        let entries = self.0.iter();
        entries
            .map(|((path, answer), (count, message))| (*path, answer, *count, message.as_slice()))
    }

    /// Writes the messages as one file each: a folder for each method, a file for each answer.
    /// Files of other answers stay.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for ((path, answer), (_, message)) in &self.0 {
            let method = folder.join(path.trim_start_matches('/'));
            fs::create_dir_all(&method)?;
            let name = answer.to_string().replace(' ', ".");
            fs::write(method.join(format!("{name}.bin")), message)?;
        }
        Ok(())
    }
}

/// The kept messages of a folder with the paths of their methods, in the order of their files.
///
/// # Errors
/// A file cannot be read.
pub fn read_corpus(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut messages = Vec::new();
    for service in sorted(folder)? {
        for method in sorted(&folder.join(&service))? {
            let own = folder.join(&service).join(&method);
            for file in sorted(&own)? {
                messages.push((format!("/{service}/{method}"), fs::read(own.join(file))?));
            }
        }
    }
    Ok(messages)
}

fn sorted(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
