//! Compiles the protobuf schemas: Rust types for the binary formats, descriptors for the text format.

use std::error::Error;
use std::path::PathBuf;

/// Where the schemas are.
const FOLDER: &str = "proto";
/// The schemas, relative to [`FOLDER`].
const SCHEMAS: [&str; 2] = ["caffe.proto", "onnx.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let out_dir = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut compiler = protox::Compiler::new([FOLDER])?;
    compiler.open_files(SCHEMAS)?;
    std::fs::write(out_dir.join("schemas.descriptors"), compiler.encode_file_descriptor_set())?;
    prost_build::Config::new().bytes(["."]).compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
