//! Tests of the contracts against prost itself.
mod decoded_size;
