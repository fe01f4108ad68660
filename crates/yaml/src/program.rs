//! A program as it was read.

use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_project::yaml::Node;

use crate::packages::PackageLocks;
use crate::syntax::{ConfigDecl, Expr, Invoke, OutputDecl, ResourceDecl, StackReference, Text, VariableDecl};

/// A program as it was read: all its declarations, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct YamlProgram {
    /// The project's name, if the file has one.
    pub name: Option<String>,
    /// The range of versions of the engine that the program needs.
    pub required_version: Option<Expr>,
    /// Configuration values.
    pub config: Vec<ConfigDecl>,
    /// Variables.
    pub variables: Vec<VariableDecl>,
    /// Resources.
    pub resources: Vec<ResourceDecl>,
    /// The stack's outputs.
    pub outputs: Vec<OutputDecl>,
    /// Calls of functions, anywhere in the program.
    pub invokes: Vec<Invoke>,
    /// Stacks that `fn::stackReference` names.
    pub stacks: Vec<StackReference>,
}

impl YamlProgram {
    /// Reads a program from a file's tree. Gives the program with warnings, or all that is wrong
    /// with it, in the order of the file.
    pub fn parse(root: &Node) -> Result<(YamlProgram, Vec<Diagnostic>), Vec<Diagnostic>> {
        match crate::parse::parse(root) {
            (Some(program), warnings) => Ok((program, warnings)),
            (None, problems) => Err(problems),
        }
    }

    /// The packages that the program's resources and calls need, without `pulumi`, sorted.
    pub fn required_packages(&self, locks: &PackageLocks) -> Vec<PackageDescriptor> {
        let mut seen: Vec<&str> = Vec::new();
        let mut found = Vec::new();
        let mut add = |package, version: &Option<Text>, url: &Option<Text>| {
            if package == "pulumi" || seen.contains(&package) {
                return;
            }
            seen.push(package);
            match locks.declared(package) {
                [] => {
                    let text =
                        |text: &Option<Text>| text.as_ref().map_or_else(String::new, |t| t.value.clone());
                    found.push(PackageDescriptor {
                        download_url: text(url),
                        ..PackageDescriptor::new(package, text(version))
                    });
                }
                declared => found.extend(declared.iter().map(|package| locks.served_by(package))),
            }
        };
        for resource in &self.resources {
            add(resource.package(), &resource.options.version, &resource.options.plugin_download_url);
        }
        for invoke in &self.invokes {
            let package = purlin_model::urn::package_of_type(&invoke.token.value);
            add(package, &invoke.options.version, &invoke.options.plugin_download_url);
        }
        found.sort();
        found.dedup();
        found
    }
}
