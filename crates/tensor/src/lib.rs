//! Checked views over Open Inference tensors: a view's datatype, shape and length agree, and its
//! bytes can be forwarded as they came.

mod contents;
mod datatype;
mod encode;
mod error;
mod view;

pub use datatype::Datatype;
pub use encode::{encode_bool, encode_f32, encode_f64, encode_i64, encode_strings, tensor};
pub use error::TensorError;
pub use view::{Data, TensorView, views};
