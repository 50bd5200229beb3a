//! What has become of the parts that a log uploads.

/// What a log has uploaded since its start, and what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadStatus {
    /// Why the latest attempt failed; none once one succeeds.
    pub problem: Option<String>,
    /// Parts that are in the object store and were deleted here.
    pub uploaded: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Parts that wait, as they were last counted; also those that differ.
    pub waiting_parts: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Parts that stay, since the store has other objects of their names.
    pub differing: u64,
    /// Rows of parts that were deleted by age or by bytes before they were uploaded.
    pub lost_rows: u64,
}

impl UploadStatus {
    /// What an operator should know.
    pub(crate) fn notes(&self, log: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(problem) = &self.problem {
            let (parts, bytes) = (self.waiting_parts, self.waiting_bytes);
            notes.push(format!(
                "{log} is not uploaded at present, {parts} parts with {bytes} bytes wait: {problem}"
            ));
        }
        if self.differing > 0 {
            let parts = self.differing;
            notes.push(format!(
                "{log} has {parts} parts of whose names the object store has other objects; they stay"
            ));
        }
        if self.lost_rows > 0 {
            let rows = self.lost_rows;
            notes.push(format!(
                "{log} lost {rows} rows: their parts were deleted before they were uploaded"
            ));
        }
        notes
    }
}
