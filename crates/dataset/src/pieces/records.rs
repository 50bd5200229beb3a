//! Finds the records of a CSV text and rewrites them so that all parsers read them the same way:
//! `\n` line endings, no blank lines, and quotes inside an unquoted field (`5" screen`) escaped.

/// Whole records from the start of a text.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The rewritten records, each with a newline.
    pub(super) clean: Vec<u8>,
    pub(super) records: u64,
    /// Bytes of the text that were consumed by the records and the blank lines between them.
    pub(super) consumed: usize,
}

/// Consumes at most `limit` whole records from the start of `bytes`. With `at_end`, the rest of the
/// text after the last newline is also a record. `width` is the required number of fields; 0 allows
/// any number.
///
/// An error contains the index of the first invalid record, and its problem.
pub(super) fn scan(
    bytes: &[u8],
    at_end: bool,
    width: usize,
    limit: u64,
) -> Result<Block, (u64, String)> {
    let mut block = Block::default();
    while block.records < limit && block.consumed < bytes.len() {
        let rest = &bytes[block.consumed..];
        let found = next_record(rest).map_err(|problem| (block.records, problem.to_owned()))?;
        let (record, taken) = match found.end {
            Some(end) => (&rest[..end], end + 1),
            None if !at_end => break,
            None if found.open_quote => {
                return Err((
                    block.records,
                    "a quote is never closed; close it".to_owned(),
                ));
            }
            None => (rest, rest.len()),
        };
        block.consumed += taken;
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if record.is_empty() {
            continue;
        }
        if width > 0 && found.fields != width {
            let hint = if found.fields > width {
                "; put text that contains commas in quotes"
            } else {
                ""
            };
            return Err((
                block.records,
                format!("{} fields, but the header has {width}{hint}", found.fields),
            ));
        }
        if found.stray_quotes {
            quote_plain_fields(record, &mut block.clean);
        } else {
            block.clean.extend_from_slice(record);
        }
        block.clean.push(b'\n');
        block.records += 1;
    }
    Ok(block)
}

/// A record at the start of a text.
struct Record {
    /// Its length without the newline; `None` when the text ends before a newline.
    end: Option<usize>,
    fields: usize,
    stray_quotes: bool,
    open_quote: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: the end of the field, or the first half of an escaped
    /// quote.
    QuoteInQuoted,
}

impl State {
    fn after(self, byte: u8) -> Result<Self, &'static str> {
        match (self, byte) {
            (Self::FieldStart | Self::QuoteInQuoted, b'"') => Ok(Self::Quoted),
            (Self::Quoted, b'"') => Ok(Self::QuoteInQuoted),
            (Self::Quoted, _) => Ok(Self::Quoted),
            (_, b',') => Ok(Self::FieldStart),
            (Self::QuoteInQuoted, b'\r') => Ok(Self::QuoteInQuoted),
            (Self::QuoteInQuoted, _) => {
                Err("text follows a closing quote; double each quote inside a quoted field")
            }
            (Self::FieldStart | Self::Plain, _) => Ok(Self::Plain),
        }
    }
}

fn next_record(bytes: &[u8]) -> Result<Record, &'static str> {
    let mut record = Record {
        end: None,
        fields: 1,
        stray_quotes: false,
        open_quote: false,
    };
    let mut state = State::FieldStart;
    for (index, &byte) in bytes.iter().enumerate() {
        if state != State::Quoted {
            match byte {
                b'\n' => {
                    record.end = Some(index);
                    return Ok(record);
                }
                b',' => record.fields += 1,
                b'"' => record.stray_quotes |= state == State::Plain,
                _ => {}
            }
        }
        state = state.after(byte)?;
    }
    record.open_quote = state == State::Quoted;
    Ok(record)
}

/// Copies a checked record and puts each unquoted field that contains quotes into quotes.
fn quote_plain_fields(record: &[u8], clean: &mut Vec<u8>) {
    let mut state = State::FieldStart;
    let mut start = clean.len();
    let mut stray = false;
    for &byte in record {
        if byte == b',' && state != State::Quoted {
            close_field(clean, start, stray);
            clean.push(byte);
            (start, stray) = (clean.len(), false);
        } else {
            stray |= byte == b'"' && state == State::Plain;
            clean.push(byte);
        }
        // `next_record` has checked the record, so no error can occur here.
        state = state.after(byte).unwrap_or(State::Plain);
    }
    close_field(clean, start, stray);
}

fn close_field(clean: &mut Vec<u8>, start: usize, stray: bool) {
    if stray {
        let field = clean.split_off(start);
        clean.push(b'"');
        for byte in field {
            clean.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
        }
        clean.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str, width: usize) -> Result<String, (u64, String)> {
        scan(text.as_bytes(), true, width, u64::MAX)
            .map(|block| String::from_utf8(block.clean).unwrap())
    }

    #[test]
    fn records_may_contain_commas_newlines_and_quotes() {
        assert_eq!(
            clean("a,\"b,\nc\"\r\n\r\nd,\"e \"\"f\"\"\"", 2).unwrap(),
            "a,\"b,\nc\"\nd,\"e \"\"f\"\"\"\n"
        );
    }

    #[test]
    fn a_quote_inside_a_plain_field_is_text() {
        assert_eq!(
            clean("5\" or 6\", \"x\"\n", 2).unwrap(),
            "\"5\"\" or 6\"\"\",\" \"\"x\"\"\"\n"
        );
    }

    #[test]
    fn ragged_rows_and_open_quotes_are_reported_by_record() {
        assert_eq!(
            clean("1,2\n\n3\n", 2).unwrap_err(),
            (1, "1 fields, but the header has 2".to_owned())
        );
        assert!(clean("1,2\n3,4,5\n", 2).unwrap_err().1.contains("3 fields"));
        assert_eq!(clean("1,2\n3,\"4\n5,6\n", 2).unwrap_err().0, 1);
        assert!(
            clean("\"a\"b,c\n", 2)
                .unwrap_err()
                .1
                .contains("closing quote")
        );
    }

    #[test]
    fn a_record_cut_by_the_block_is_left_for_the_next() {
        let block = scan(b"1,2\n3,\"4\n", false, 2, u64::MAX).unwrap();
        assert_eq!((block.records, block.consumed), (1, 4));
    }
}
