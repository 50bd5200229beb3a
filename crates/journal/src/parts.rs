//! Turns a closed segment into a Parquet part. The segment is deleted only when the part is in
//! place, and the same segment always gives the same part.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use counterweight_files::{TEMPORARY_PREFIX, parent_folder};
use parquet::{
    basic::{Compression, ZstdLevel},
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};

use crate::{
    clock::hour_folder,
    disk::{Disk, DiskFile, create_unfinished},
    error::JournalError,
    folder::{JournalFolder, io_error, read_segment},
    part_schema::Schema,
    pending::{Pending, parquet_schema},
    segment::{Found, Frames, Header},
    segment_writer::ClosedSegment,
    table::{ColumnType, Columns},
};

/// Rows and payload bytes at which a row group ends, after a whole record.
const ROW_GROUP_ROWS: usize = 65_536;
const ROW_GROUP_BYTES: usize = 32 << 20;
/// How much of two files is compared at once.
const COMPARED: usize = 1 << 20;
const MAX_REPLICA: usize = 64;
/// The column whose minimum and maximum a part states.
const TIME: &str = "time";

/// The rows of a record's payload, or why there are none.
pub type Decode<'a> = dyn Fn(&[u8]) -> Result<Columns, String> + 'a;

/// How parts are written.
#[derive(Debug, Clone)]
pub struct PartOptions {
    /// The replica in the names: 1 to 64 letters, digits, `-` or `_`.
    pub replica: String,
    /// What the part says under `counterweight.schema`.
    pub schema_version: String,
}

impl PartOptions {
    /// Options for a replica of any name: characters that do not belong in file names become `_`.
    #[must_use]
    pub fn new(replica: &str, schema_version: &str) -> Self {
        let allowed = |letter: char| match letter.is_ascii_alphanumeric() || "-_".contains(letter) {
            true => letter,
            false => '_',
        };
        Self {
            replica: replica.chars().map(allowed).take(MAX_REPLICA).collect(),
            schema_version: schema_version.to_owned(),
        }
    }
}

/// What became of a segment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// The part; `None` where the segment has no record that can be written.
    pub part: Option<PathBuf>,
    /// Records that were written.
    pub records: u64,
    /// Their rows.
    pub rows: u64,
    /// Records that were refused.
    pub refused: u64,
    /// Why the first of them was.
    pub first_refusal: Option<String>,
    /// Columns of records that are left out, since an earlier record had them with another type.
    pub left_out: u64,
    /// What the first of them is.
    pub first_left_out: Option<String>,
    /// Damaged places of the segment, as offset and bytes.
    pub damaged: Vec<(u64, u64)>,
    /// Bytes of a torn end.
    pub torn_bytes: u64,
}

/// Writes a segment as a part, then deletes the segment.
///
/// # Errors
/// The segment stays. [`JournalError::PartDiffers`], [`JournalError::NewerVersion`],
/// [`JournalError::NotASegment`], [`JournalError::Parquet`], [`JournalError::Io`].
pub fn convert(
    folder: &JournalFolder,
    segment: &ClosedSegment,
    options: &PartOptions,
    decode: &Decode<'_>,
) -> Result<Converted, JournalError> {
    check(options)?;
    let disk = &**folder.disk();
    let bytes = read_segment(disk, &segment.path)?;
    let header = Header::decode(&segment.path, &bytes)?;
    let mut converted = Converted::default();
    if let Some(header) = header {
        let schema = collect_schema(&segment.path, &bytes, decode, &mut converted);
        if converted.records > 0 {
            let part = part_path(folder, segment, header, options);
            let unfinished = write_part(disk, &part, &bytes, &schema, options, decode)?;
            put_in_place(disk, &unfinished, &part, &segment.path)?;
            converted.part = Some(part);
        }
    }
    let removed = disk
        .remove(&segment.path)
        .and_then(|()| disk.sync_folder(&folder.wal()));
    removed.map_err(io_error(
        &segment.path,
        "is converted and cannot be removed",
    ))?;
    Ok(converted)
}

/// First pass: the columns of all records, since a part has one schema.
fn collect_schema(
    path: &Path,
    bytes: &[u8],
    decode: &Decode<'_>,
    converted: &mut Converted,
) -> Schema {
    let mut schema = Schema::default();
    let mut frames = Frames::new(bytes);
    for found in frames.by_ref() {
        let payload = match found {
            Found::Record(payload) => payload,
            Found::Damaged { offset, bytes } => {
                tracing::error!(segment = %path.display(), offset, bytes, "the segment is damaged; its other records are kept");
                converted.damaged.push((offset, bytes));
                continue;
            }
        };
        let checked = decode(payload).and_then(|columns| Ok((columns.checked_rows()?, columns)));
        match checked {
            Ok((rows, columns)) => {
                converted.records += 1;
                converted.rows += rows as u64;
                let left_out = schema.add(&columns);
                converted.left_out += left_out.len() as u64;
                if converted.first_left_out.is_none() {
                    converted.first_left_out = left_out.into_iter().next();
                }
            }
            Err(why) => {
                converted.refused += 1;
                converted.first_refusal.get_or_insert(why);
            }
        }
    }
    converted.torn_bytes = bytes.len() as u64 - frames.end();
    schema
}

/// Second pass: writes the rows under a temporary name, which is returned.
fn write_part(
    disk: &dyn Disk,
    part: &Path,
    bytes: &[u8],
    schema: &Schema,
    options: &PartOptions,
    decode: &Decode<'_>,
) -> Result<PathBuf, JournalError> {
    let parent = parent_folder(part);
    disk.create_folder(parent)
        .map_err(io_error(parent, "cannot be created"))?;
    let name = part.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = parent.join(format!("{TEMPORARY_PREFIX}{name}"));
    let failed = || io_error(&unfinished, "cannot be written");
    let mut file = PartFile(create_unfinished(disk, &unfinished).map_err(failed())?);
    let written = write_rows(&mut file, bytes, schema, options, decode);
    if let Err(problem) = written {
        // The next attempt removes it, if this one cannot.
        let _ = disk.remove(&unfinished);
        return Err(JournalError::Parquet {
            path: unfinished,
            problem,
        });
    }
    file.0.sync().map_err(failed())?;
    Ok(unfinished)
}

fn write_rows(
    file: &mut PartFile,
    bytes: &[u8],
    schema: &Schema,
    options: &PartOptions,
    decode: &Decode<'_>,
) -> Result<(), String> {
    let text = |error: parquet::errors::ParquetError| error.to_string();
    let parquet = parquet_schema(&schema.columns).map_err(text)?;
    let mut properties = WriterProperties::builder()
        .set_created_by("counterweight".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::None)
        // Readers skip row groups by time; to compare all texts would cost more than it saves.
        .set_column_statistics_enabled(ColumnPath::from(TIME), EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(schema.metadata(&options.schema_version)));
    for (name, column_type) in &schema.columns {
        if !matches!(column_type, ColumnType::Text | ColumnType::TextList) {
            // A dictionary of numbers costs more time than it saves bytes after compression.
            let path = ColumnPath::from(name.clone());
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    let properties = properties.build();
    let buffered = io::BufWriter::with_capacity(COMPARED, file);
    let mut writer =
        SerializedFileWriter::new(buffered, parquet, Arc::new(properties)).map_err(text)?;
    let mut group = Group::new(schema);
    for found in Frames::new(bytes) {
        let Found::Record(payload) = found else {
            continue;
        };
        // The first pass counted what is refused.
        let Ok(columns) = decode(payload) else {
            continue;
        };
        let Ok(rows) = columns.checked_rows() else {
            continue;
        };
        group.add(&columns, rows, payload.len());
        if group.rows >= ROW_GROUP_ROWS || group.bytes >= ROW_GROUP_BYTES {
            std::mem::replace(&mut group, Group::new(schema))
                .write(&mut writer)
                .map_err(text)?;
        }
    }
    if group.rows > 0 {
        group.write(&mut writer).map_err(text)?;
    }
    let buffered = writer.into_inner().map_err(text)?;
    buffered.into_inner().map_err(|error| error.to_string())?;
    Ok(())
}

/// Rows of whole records that are written together.
struct Group<'a> {
    schema: &'a Schema,
    values: Vec<Pending>,
    rows: usize,
    bytes: usize,
}

impl<'a> Group<'a> {
    fn new(schema: &'a Schema) -> Self {
        let values = schema
            .columns
            .iter()
            .map(|(_, column_type)| Pending::new(*column_type));
        Self {
            schema,
            values: values.collect(),
            rows: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, columns: &Columns, rows: usize, bytes: usize) {
        for column in &columns.0 {
            if let Some(&place) = self.schema.places.get(&column.name) {
                self.values[place].add(&column.values);
            }
        }
        self.rows += rows;
        self.bytes += bytes;
        // A column that the record does not have is null.
        for values in &mut self.values {
            values.fill(self.rows);
        }
    }

    fn write<W: io::Write + Send>(
        self,
        writer: &mut SerializedFileWriter<W>,
    ) -> Result<(), parquet::errors::ParquetError> {
        let mut group = writer.next_row_group()?;
        for values in self.values {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            values.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// Gives a complete part its name. One of equal content is there already where a crash came between
/// this and the deletion of the segment.
fn put_in_place(
    disk: &dyn Disk,
    unfinished: &Path,
    part: &Path,
    segment: &Path,
) -> Result<(), JournalError> {
    let failed = || io_error(part, "cannot be put in place");
    let exists = match disk.length(part) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed()(error)),
    };
    if exists {
        let equal = equal_files(disk, unfinished, part).map_err(failed())?;
        disk.remove(unfinished).map_err(failed())?;
        if !equal {
            return Err(JournalError::PartDiffers {
                segment: segment.to_owned(),
                part: part.to_owned(),
            });
        }
    } else {
        disk.rename(unfinished, part).map_err(failed())?;
    }
    disk.sync_folder(parent_folder(part)).map_err(failed())
}

fn equal_files(disk: &dyn Disk, one: &Path, other: &Path) -> io::Result<bool> {
    let length = disk.length(one)?;
    if disk.length(other)? != length {
        return Ok(false);
    }
    for offset in (0..length).step_by(COMPARED) {
        if disk.read(one, offset, COMPARED)? != disk.read(other, offset, COMPARED)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn part_path(
    folder: &JournalFolder,
    segment: &ClosedSegment,
    header: Header,
    options: &PartOptions,
) -> PathBuf {
    let Header { kind, run, hour } = header;
    let name = format!(
        "part-{}-{run}-{:010}.parquet",
        options.replica, segment.sequence
    );
    folder
        .path()
        .join(kind.name())
        .join(hour_folder(hour))
        .join(name)
}

pub(crate) fn check(options: &PartOptions) -> Result<(), JournalError> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let replica = &options.replica;
    if replica.is_empty() || replica.len() > MAX_REPLICA || !replica.bytes().all(valid) {
        return Err(JournalError::Option {
            name: "replica",
            value: format!("`{replica}`"),
            allowed: "use 1 to 64 letters, digits, `-` or `_`",
        });
    }
    Ok(())
}

struct PartFile(Box<dyn DiskFile>);

impl io::Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
