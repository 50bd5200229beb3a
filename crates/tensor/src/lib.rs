//! Checked views over Open Inference tensors. The datatype, shape and length of a view agree, and
//! its bytes can be forwarded without a change.

mod contents;
mod datatype;
mod encode;
mod error;
mod view;

pub use datatype::Datatype;
pub use encode::{encode_bool, encode_f32, encode_f64, encode_i64, encode_strings, tensor};
pub use error::TensorError;
pub use view::{Data, TensorView, views};
