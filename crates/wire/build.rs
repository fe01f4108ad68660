//! Generates the messages, clients and servers from the protocol files, with no compiler but Rust's.

use std::path::Path;

/// The protocol files, below the `proto` folder of the workspace.
const FILES: [&str; 16] = [
    "pulumi/alias.proto",
    "pulumi/analyzer.proto",
    "pulumi/callback.proto",
    "pulumi/codegen/hcl.proto",
    "pulumi/codegen/loader.proto",
    "pulumi/codegen/mapper.proto",
    "pulumi/converter.proto",
    "pulumi/engine.proto",
    "pulumi/errors.proto",
    "pulumi/events.proto",
    "pulumi/language.proto",
    "pulumi/plugin.proto",
    "pulumi/provider.proto",
    "pulumi/resource.proto",
    "pulumi/resource_status.proto",
    "pulumi/source.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(FILES.map(|file| root.join(file)), [&root])?;
    tonic_prost_build::configure()
        .btree_map(".")
        .bytes(".")
        .extern_path(".google.protobuf.Struct", "crate::Struct")
        .extern_path(".google.protobuf.Value", "crate::Value")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
