//! Checks the sizes that a Parquet file declares before polars allocates memory for them.
//!
//! A few bytes can represent any number of rows, and a damaged length can request any number of
//! bytes. An allocation that is too large ends the process. So the headers of all pages are read
//! first; this is cheap, because the pages themselves are skipped.

use std::{
    env,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use polars::io::parquet::metadata::FileMetadata;
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet_format::{PageHeader, thrift::protocol::TCompactInputProtocol};

/// Replaces [`LEAST_LIMIT`] and [`MOST_EXPANSION`] with a maximum of decoded bytes per file.
const LIMIT_VARIABLE: &str = "COUNTERWEIGHT_MAX_DECODED_BYTES";
/// The limit of decoded bytes is the larger of [`LEAST_LIMIT`] and [`MOST_EXPANSION`] times the
/// size of the file. Logs with many equal values shrink to a tenth or a twentieth of their decoded
/// size.
const LEAST_LIMIT: u64 = 4 << 30;
const MOST_EXPANSION: u64 = 64;
/// Memory of one value of a column, without the bytes of a text.
const BYTES_PER_VALUE: u64 = 16;
/// The longest header of a page, which may contain two values as statistics.
const LONGEST_HEADER: usize = 16 << 20;
/// Small, because headers are short and the page after a header is skipped.
const HEADER_BUFFER: usize = 512;

const DAMAGED: &str = "the file is damaged: the lengths that it declares contradict each other; \
                       write it again";

/// The memory limit for the rows of one file, and the memory used so far.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    limit: u64,
    used: u64,
}

impl Memory {
    /// The limit for a file of `length` bytes.
    pub(super) fn for_file(length: u64) -> Result<Self, String> {
        let limit = match env::var(LIMIT_VARIABLE) {
            Ok(text) => text
                .parse()
                .map_err(|_| format!("{LIMIT_VARIABLE} is {text:?}; write a number of bytes"))?,
            Err(_) => LEAST_LIMIT.max(length.saturating_mul(MOST_EXPANSION)),
        };
        Ok(Self { limit, used: 0 })
    }

    #[cfg(test)]
    pub(super) fn with_limit(limit: u64) -> Self {
        Self { limit, used: 0 }
    }

    /// Counts bytes that the rows will use; fails above the limit.
    pub(super) fn add(&mut self, bytes: u64) -> Result<(), String> {
        self.used = self.used.saturating_add(bytes);
        if self.used <= self.limit {
            return Ok(());
        }
        Err(format!(
            "the rows would take more than {} bytes of memory, which is the limit for a file of \
             this size. If the file is what you expect, raise the limit: set {LIMIT_VARIABLE} to \
             a number of bytes",
            self.limit
        ))
    }
}

/// Checks the lengths of these columns in all pages, and that their decoded size is within the
/// limit.
pub(super) fn check(
    file: &File,
    metadata: &FileMetadata,
    columns: &[String],
    mut memory: Memory,
) -> Result<(), String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    for group in &metadata.row_groups {
        for column in columns {
            let chunks = group.columns_under_root_iter(column);
            for chunk in chunks.into_iter().flatten() {
                check_chunk(file, length, chunk, group.num_rows(), &mut memory)?;
            }
        }
    }
    Ok(())
}

fn check_chunk(
    file: &File,
    length: u64,
    chunk: &ColumnChunkMetadata,
    rows: usize,
    memory: &mut Memory,
) -> Result<(), String> {
    let number = |number: i64| u64::try_from(number).map_err(|_| DAMAGED.to_owned());
    let expected = number(chunk.num_values())?;
    let declared = number(chunk.uncompressed_size())?;
    number(chunk.compressed_size())?;
    let range = chunk.byte_range();
    let nested = chunk.descriptor().descriptor.max_rep_level > 0;
    let rows = rows as u64;
    // A flat column has one value per row. A list column has at least one, also for an empty list.
    let wrong_count = if nested {
        rows > expected
    } else {
        rows != expected
    };
    if range.end > length || wrong_count {
        return Err(DAMAGED.to_owned());
    }
    memory.add(declared)?;
    let (mut position, mut values, mut decoded) = (range.start, 0_u64, 0_u64);
    while values < expected && position < range.end {
        let page = Page::read(file, position, range.end)?;
        values += page.values;
        decoded += page.decoded;
        position = page.end;
        memory.add(page.values.saturating_mul(BYTES_PER_VALUE))?;
    }
    if values != expected {
        return Err(DAMAGED.to_owned());
    }
    // The size that the footer declares was added above.
    memory.add(decoded.saturating_sub(declared))
}

/// The sizes in the header of one page.
struct Page {
    /// Where the next page begins.
    end: u64,
    /// Rows, or elements of lists; 0 for a dictionary page.
    values: u64,
    /// Bytes after decompression.
    decoded: u64,
}

impl Page {
    /// Reads the page header at `start`, in a column that ends at `end`.
    fn read(mut file: &File, start: u64, end: u64) -> Result<Self, String> {
        file.seek(SeekFrom::Start(start))
            .map_err(|error| error.to_string())?;
        let mut reader = Counted {
            reader: BufReader::with_capacity(HEADER_BUFFER, file.take(end - start)),
            read: 0,
        };
        let mut protocol = TCompactInputProtocol::new(&mut reader, LONGEST_HEADER);
        let header = PageHeader::read_from_in_protocol(&mut protocol);
        let header = header.map_err(|_| DAMAGED.to_owned())?;
        Self::from_header(&header, start + reader.read)
            .filter(|page| page.end <= end)
            .ok_or_else(|| DAMAGED.to_owned())
    }

    /// `None` when the lengths contradict each other. `begin` is the end of the header.
    fn from_header(header: &PageHeader, begin: u64) -> Option<Self> {
        let number = |number: i32| u64::try_from(number).ok();
        let decoded = number(header.uncompressed_page_size)?;
        let mut values = 0;
        if let Some(page) = &header.data_page_header {
            values = number(page.num_values)?;
        }
        if let Some(page) = &header.data_page_header_v2 {
            values = number(page.num_values)?;
            let levels = number(page.definition_levels_byte_length)?
                + number(page.repetition_levels_byte_length)?;
            let fits = levels <= decoded
                && number(page.num_nulls)? <= values
                && number(page.num_rows)? <= values;
            fits.then_some(())?;
        }
        if let Some(page) = &header.dictionary_page_header {
            // Each entry of a dictionary takes at least one byte.
            (number(page.num_values)? <= decoded).then_some(())?;
        }
        Some(Self {
            end: begin + number(header.compressed_page_size)?,
            values,
            decoded,
        })
    }
}

/// Counts the bytes that were read.
struct Counted<R> {
    reader: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_become_many_times_as_large_and_not_more() {
        let mut small = Memory::for_file(11 << 20).unwrap();
        assert_eq!(small.add(LEAST_LIMIT), Ok(()));
        let error = small.add(1).unwrap_err();
        assert!(
            error.contains(LIMIT_VARIABLE) && error.contains("4294967296"),
            "{error}"
        );
        let mut large = Memory::for_file(1 << 30).unwrap();
        assert_eq!(large.add(MOST_EXPANSION << 30), Ok(()));
        assert!(large.add(u64::MAX).is_err());
    }
}
