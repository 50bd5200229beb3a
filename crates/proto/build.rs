//! Generates the message types and stubs from `proto/` in pure Rust, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files = [
        "inference/inference.proto",
        "counterweight/v1/audience.proto",
        "counterweight/v1/feedback.proto",
        "counterweight/v1/log.proto",
        "counterweight/v1/preview.proto",
        "counterweight/v1/ranking.proto",
        "counterweight/v1/weights.proto",
    ];
    let descriptors = protox::compile(files, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // A message knows its name, and so its descriptor, from which its JSON is made.
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        // Bytes are slices of the receive buffer, never copied into a Vec.
        .bytes(".")
        .codec_path("crate::codec::Codec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
