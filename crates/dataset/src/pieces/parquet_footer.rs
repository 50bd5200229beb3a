//! Walks the footer of a Parquet file before polars decodes it.
//!
//! A list in the footer declares how many elements it has, and the decoder allocates memory for them
//! before it reads one. An allocation that is too large ends the process. Walking the footer without
//! keeping anything shows that every element is there, so that the decoder allocates in proportion to
//! the file.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use polars_parquet_format::thrift::{
    Error,
    protocol::{TCompactInputProtocol, TInputProtocol, TType},
};

/// The length of the footer and the mark at the end of a file.
const END: u64 = 8;

/// What the walker counts for one byte at most: eight for an element of a list, two for a structure, one
/// for a byte of a text.
const MOST_PER_BYTE: usize = 16;

/// The deepest nesting of values: the footer of a file needs eight.
const DEEPEST: u8 = 32;

/// Fails if the footer is not whole. A file that is too short, or has no footer, is left to polars.
pub(super) fn check(mut file: &File) -> Result<(), String> {
    let damaged = |_| "the file is damaged: its footer is not whole; write it again".to_owned();
    let unreadable = |error: std::io::Error| error.to_string();
    let length = file.metadata().map_err(unreadable)?.len();
    if length < END {
        return Ok(());
    }
    let mut end = [0; END as usize];
    file.seek(SeekFrom::Start(length - END))
        .map_err(unreadable)?;
    file.read_exact(&mut end).map_err(unreadable)?;
    let [a, b, c, d, ..] = end;
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    if footer + END > length {
        return Ok(());
    }
    let mut bytes = vec![0; usize::try_from(footer).unwrap_or(0)];
    file.seek(SeekFrom::Start(length - END - footer))
        .map_err(unreadable)?;
    file.read_exact(&mut bytes).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut footer = TCompactInputProtocol::new(&*bytes, MOST_PER_BYTE * bytes.len());
    walk(&mut footer, TType::Struct, DEEPEST).map_err(damaged)
}

/// Reads a value and keeps nothing of it. The protocol's own `skip` reads every text as UTF-8, and the
/// statistics of a column are bytes.
fn walk<P: TInputProtocol>(footer: &mut P, value: TType, depth: u8) -> Result<(), Error> {
    let elements = match value {
        TType::String => return footer.read_bytes().map(|_| ()),
        TType::List => Some(footer.read_list_begin()?),
        TType::Struct => None,
        other => return footer.skip(other),
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::from("it is nested too deeply".to_owned()));
    };
    match elements {
        Some(list) => (0..list.size).try_for_each(|_| walk(footer, list.element_type, depth)),
        None => {
            footer.read_struct_begin()?;
            loop {
                let field = footer.read_field_begin()?;
                if field.field_type == TType::Stop {
                    return footer.read_struct_end();
                }
                walk(footer, field.field_type, depth)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_list_that_declares_more_elements_than_there_are_is_refused() {
        // Field 2, a list of 4,000,000,000 structures, as the schema of a file is one.
        let footer = [0x29, 0xfc, 0x80, 0xd0, 0xac, 0xf3, 0x0e, 0x00];
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1").unwrap();
        file.write_all(&footer).unwrap();
        file.write_all(&8_u32.to_le_bytes()).unwrap();
        file.write_all(b"PAR1").unwrap();
        assert!(check(&file).unwrap_err().contains("footer"));
    }
}
