//! Errors about tensors.

/// Why a tensor is rejected. Every message names the tensor, or counts the tensors, and says what
/// to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TensorError {
    /// The protocol does not define the datatype.
    #[error(
        "tensor {tensor:?}: unknown datatype {datatype:?}; use one of BOOL, UINT8..UINT64, \
         INT8..INT64, FP32, FP64, BYTES"
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
    /// The number of elements of the contents differs from that of the shape.
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
        /// The length that the shape needs, with its unit.
        expected: String,
        /// The length that was sent, with its unit.
        found: String,
    },
    /// A length prefix of a BYTES tensor reaches past its end.
    #[error(
        "tensor {tensor:?}: element {element} of a BYTES tensor runs past the end; prefix each \
         element with its length as 4 bytes, little endian"
    )]
    Prefix {
        /// Tensor name.
        tensor: String,
        /// The element, from 0.
        element: usize,
    },
    /// Typed contents are in a field that does not belong to the datatype.
    #[error(
        "tensor {tensor:?}: the typed contents of datatype {datatype} belong in the field \
         {expected}; leave the other fields empty"
    )]
    WrongContents {
        /// Tensor name.
        tensor: String,
        /// The datatype.
        datatype: &'static str,
        /// The field that belongs to it.
        expected: &'static str,
    },
    /// The tensor has both typed and raw contents.
    #[error("tensor {tensor:?} has both typed and raw contents; send only one of them")]
    Mixed {
        /// Tensor name.
        tensor: String,
    },
    /// The number of raw contents differs from the number of tensors.
    #[error(
        "{tensors} tensors but {raw} raw contents; send one raw element per tensor, in the order \
         of the tensors"
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
    /// The tensor would be too large with the rows that the model needs.
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
    /// The name of the tensor; `None` for an error about several tensors.
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
