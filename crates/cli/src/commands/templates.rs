//! The templates of `new`, embedded.

/// A template: a project that `new` writes.
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// Files by name, with `${PROJECT}` and `${DESCRIPTION}` to be filled in.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

/// All templates, by name.
pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        name: "go",
        description: "A minimal Go program",
        files: &[
            ("Pulumi.yaml", include_str!("../../templates/go/Pulumi.yaml")),
            ("main.go", include_str!("../../templates/go/main.go.txt")),
            ("go.mod", include_str!("../../templates/go/go.mod.txt")),
            (".gitignore", "${PROJECT}\n"),
        ],
    },
    Template {
        name: "javascript",
        description: "A minimal JavaScript program",
        files: &[
            ("Pulumi.yaml", include_str!("../../templates/javascript/Pulumi.yaml")),
            ("index.js", include_str!("../../templates/javascript/index.js")),
            ("package.json", include_str!("../../templates/javascript/package.json")),
            (".gitignore", "/node_modules/\n"),
        ],
    },
    Template {
        name: "python",
        description: "A minimal Python program",
        files: &[
            ("Pulumi.yaml", include_str!("../../templates/python/Pulumi.yaml")),
            ("__main__.py", include_str!("../../templates/python/__main__.py")),
            ("requirements.txt", "pulumi>=3.0.0,<4.0.0\n"),
            (".gitignore", "*.pyc\nvenv/\n"),
        ],
    },
    Template {
        name: "typescript",
        description: "A minimal TypeScript program",
        files: &[
            ("Pulumi.yaml", include_str!("../../templates/typescript/Pulumi.yaml")),
            ("index.ts", include_str!("../../templates/typescript/index.ts")),
            ("package.json", include_str!("../../templates/typescript/package.json")),
            ("tsconfig.json", include_str!("../../templates/typescript/tsconfig.json")),
            (".gitignore", "/bin/\n/node_modules/\n"),
        ],
    },
    Template {
        name: "yaml",
        description: "A small YAML program with random names",
        files: &[("Pulumi.yaml", include_str!("../../templates/yaml/Pulumi.yaml"))],
    },
];
