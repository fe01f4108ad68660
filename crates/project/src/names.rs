//! What projects and stacks may be called.

use purlin_diag::Diagnostic;

/// The longest name that a project or stack may have.
pub const MAX_NAME: usize = 100;

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Checks the name of a project, as it must hold for a project that is to be created or stored.
pub fn validate_project_name(name: &str) -> Result<(), Diagnostic> {
    let problem = if name.is_empty() {
        "project names may not be empty"
    } else if name.len() > MAX_NAME {
        "project names are limited to 100 characters"
    } else if !name.chars().all(is_name_char) {
        "project names may only contain alphanumerics, hyphens, underscores, and periods"
    } else {
        return Ok(());
    };
    Err(Diagnostic::error("project-name", problem))
}

/// Checks the name of a stack, without organization and project.
pub fn validate_stack_name(name: &str) -> Result<(), Diagnostic> {
    let problem = if name.is_empty() {
        "a stack name may not be empty".to_owned()
    } else if name.len() > MAX_NAME {
        "a stack name cannot exceed 100 characters".to_owned()
    } else if let Some((at, bad)) = name.char_indices().find(|(_, c)| !is_name_char(*c)) {
        format!(
            "a stack name may only contain alphanumeric, hyphens, underscores, or periods: invalid character \
             '{}' at position {at}",
            bad.escape_debug()
        )
    } else {
        return Ok(());
    };
    Err(Diagnostic::error("stack-name", problem))
}

/// A stack as the user names it: `stack`, `organization/stack` or `organization/project/stack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackReference {
    /// The organization, if one was named.
    pub organization: Option<String>,
    /// The project, if one was named.
    pub project: Option<String>,
    /// The stack itself.
    pub stack: String,
}

impl StackReference {
    /// Reads a reference and checks the names in it.
    pub fn parse(text: &str) -> Result<StackReference, Diagnostic> {
        if text.is_empty() {
            return Err(Diagnostic::error("stack-name", "stack name must not be empty"));
        }
        let parts: Vec<_> = text.split('/').collect();
        let (organization, project, stack) = match parts[..] {
            [stack] => (None, None, stack),
            [organization, stack] => (Some(organization), None, stack),
            [organization, project, stack] => (Some(organization), Some(project), stack),
            _ => {
                let message = format!("could not parse stack name '{text}'");
                let hint =
                    "a stack is named <stack>, <organization>/<stack> or <organization>/<project>/<stack>";
                return Err(Diagnostic::error("stack-name", message).with_hint(hint));
            }
        };
        if organization.is_some_and(str::is_empty) {
            return Err(Diagnostic::error("stack-name", format!("could not parse stack name '{text}'"))
                .with_hint("the organization before the slash is empty"));
        }
        if let Some(project) = project {
            validate_project_name(project)?;
        }
        validate_stack_name(stack)?;
        Ok(StackReference {
            organization: organization.map(str::to_owned),
            project: project.map(str::to_owned),
            stack: stack.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack_problem(name: &str) -> String {
        validate_stack_name(name).unwrap_err().message
    }

    #[test]
    fn stack_names() {
        for name in ["dev", "a.b-c_9", "-", ".", &"x".repeat(100)] {
            assert!(validate_stack_name(name).is_ok(), "{name}");
        }
        assert_eq!(stack_problem(""), "a stack name may not be empty");
        assert_eq!(stack_problem(&"x".repeat(101)), "a stack name cannot exceed 100 characters");
        let prefix = "a stack name may only contain alphanumeric, hyphens, underscores, or periods: ";
        assert_eq!(stack_problem("dev stack"), format!("{prefix}invalid character ' ' at position 3"));
        assert_eq!(stack_problem("!"), format!("{prefix}invalid character '!' at position 0"));
        assert_eq!(stack_problem("é"), format!("{prefix}invalid character 'é' at position 0"));
    }

    #[test]
    fn project_names() {
        assert!(validate_project_name("My-project_1.0").is_ok());
        let problem = |name: &str| validate_project_name(name).unwrap_err().message;
        assert_eq!(problem(""), "project names may not be empty");
        assert_eq!(problem(&"p".repeat(101)), "project names are limited to 100 characters");
        assert_eq!(
            problem("foo bar"),
            "project names may only contain alphanumerics, hyphens, underscores, and periods"
        );
    }

    #[test]
    fn stack_references() {
        let parsed = StackReference::parse("org/proj/dev").unwrap();
        assert_eq!(parsed.organization.as_deref(), Some("org"));
        assert_eq!(parsed.project.as_deref(), Some("proj"));
        assert_eq!(parsed.stack, "dev");
        assert_eq!(StackReference::parse("org/dev").unwrap().project, None);
        let problem = |text: &str| StackReference::parse(text).unwrap_err().message;
        assert_eq!(problem(""), "stack name must not be empty");
        assert_eq!(problem("a/b/c/d"), "could not parse stack name 'a/b/c/d'");
        assert_eq!(problem("/dev"), "could not parse stack name '/dev'");
        assert_eq!(problem("org/"), "a stack name may not be empty");
        assert_eq!(problem("org//dev"), "project names may not be empty");
    }
}
