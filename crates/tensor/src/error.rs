//! Why tensors are refused.

/// Why tensors are refused. Every message names the tensor and says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TensorError {
    /// The datatype is not one of the protocol.
    #[error(
        "tensor {tensor:?}: unknown datatype {datatype:?}; use one of BOOL, UINT8..UINT64, INT8..INT64, FP32, FP64, BYTES"
    )]
    UnknownDatatype {
        /// Tensor name.
        tensor: String,
        /// What was sent.
        datatype: String,
    },
    /// The datatype is known but not accepted here.
    #[error("tensor {tensor:?} has datatype {datatype}; send {expected}")]
    WrongDatatype {
        /// Tensor name.
        tensor: String,
        /// What was sent.
        datatype: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
    /// The shape is not `[n]`, `[n, 1]` or `[n, d]`.
    #[error(
        "tensor {tensor:?} has shape {shape:?}; send [n], [n, 1] or [n, d] with n ≥ 1 and d ≥ 1"
    )]
    Shape {
        /// Tensor name.
        tensor: String,
        /// What was sent.
        shape: Vec<i64>,
    },
    /// The contents do not hold as many elements as the shape says.
    #[error(
        "tensor {tensor:?}: shape {shape:?} of {datatype} needs {expected}, but {found} were sent"
    )]
    Length {
        /// Tensor name.
        tensor: String,
        /// The shape.
        shape: Vec<i64>,
        /// The datatype.
        datatype: &'static str,
        /// What the shape needs, with its unit.
        expected: String,
        /// What was sent, with its unit.
        found: String,
    },
    /// A length prefix of a BYTES tensor reaches past its end.
    #[error(
        "tensor {tensor:?}: element {element} of a BYTES tensor runs past the end; prefix each element with its length as 4 bytes, little endian"
    )]
    Prefix {
        /// Tensor name.
        tensor: String,
        /// The element, from 0.
        element: usize,
    },
    /// Typed contents are in a field that does not belong to the datatype.
    #[error(
        "tensor {tensor:?}: the typed contents of datatype {datatype} belong in {expected} and in no other field"
    )]
    WrongContents {
        /// Tensor name.
        tensor: String,
        /// The datatype.
        datatype: &'static str,
        /// The field that belongs to it.
        expected: &'static str,
    },
    /// The tensor has both raw and typed contents.
    #[error("tensor {tensor:?} has both typed and raw contents; send only one of them")]
    Mixed {
        /// Tensor name.
        tensor: String,
    },
    /// The number of raw contents differs from the number of tensors.
    #[error(
        "{tensors} tensors but {raw} raw contents; send one raw element per tensor, in the order of the tensors"
    )]
    RawCount {
        /// Number of tensors.
        tensors: usize,
        /// Number of raw elements.
        raw: usize,
    },
    /// Two tensors have the same name.
    #[error("tensor {tensor:?} is sent twice; send it once")]
    Duplicate {
        /// Tensor name.
        tensor: String,
    },
    /// The tensor would be too large in the form in which the model needs it.
    #[error(
        "tensor {tensor:?}: {width} values for each of {rows} rows would make the message to the \
         model larger than {most} bytes; send fewer candidates or a narrower tensor"
    )]
    TooLarge {
        /// Tensor name.
        tensor: String,
        /// Values per row.
        width: usize,
        /// The rows that are needed.
        rows: usize,
        /// The largest message, in bytes.
        most: usize,
    },
    /// An element cannot be used for the feature that it belongs to.
    #[error("tensor {tensor:?}: {what}")]
    Value {
        /// Tensor name.
        tensor: String,
        /// What is wrong, with the row.
        what: String,
    },
}

impl TensorError {
    /// The tensor that the error is about, if it is about a single one.
    #[must_use]
    pub fn tensor(&self) -> Option<&str> {
        match self {
            Self::UnknownDatatype { tensor, .. }
            | Self::WrongDatatype { tensor, .. }
            | Self::Shape { tensor, .. }
            | Self::Length { tensor, .. }
            | Self::Prefix { tensor, .. }
            | Self::WrongContents { tensor, .. }
            | Self::Mixed { tensor }
            | Self::Duplicate { tensor }
            | Self::TooLarge { tensor, .. }
            | Self::Value { tensor, .. } => Some(tensor),
            Self::RawCount { .. } => None,
        }
    }
}
