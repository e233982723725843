//! Which option stands for which part of a request: the same list builds the command line and reads it.

use crate::document::{Operation, Place, schema::ValueType};

/// Options that every command has, or that some commands have beside those of their operation.
const RESERVED: [&str; 17] = [
    "body",
    "ca-file",
    "columns",
    "curl",
    "follow",
    "headers",
    "help",
    "interval",
    "output",
    "profile",
    "show-token",
    "timeout",
    "url",
    "version",
    "wait-timeout",
    "watch",
    "limit",
];

/// The part of a request that an option sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The parameter with this index.
    Parameter(usize),
    /// The field of the body with this index.
    Field(usize),
}

pub(crate) struct OperationOption<'a> {
    pub(crate) target: Target,
    /// Identifies the option in the parsed command line.
    pub(crate) id: String,
    /// `limits.max-agents`; for a parameter of the path its name.
    pub(crate) name: String,
    pub(crate) description: &'a str,
    pub(crate) value: &'a ValueType,
    pub(crate) default: Option<&'a str>,
    pub(crate) required: bool,
    /// An argument without a name.
    pub(crate) positional: bool,
}

/// The name of an option: hyphens for underscores. One that would hide an option of this program is preceded by `api-`.
pub(crate) fn option_name(name: &str) -> String {
    let name = name.replace('_', "-").to_lowercase();
    if RESERVED.contains(&name.as_str()) { format!("api-{name}") } else { name }
}

/// The options of an operation, except `limit` of a list with pages, which is an option of this program.
pub(crate) fn options(operation: &Operation) -> Vec<OperationOption<'_>> {
    let parameters = operation.parameters.iter().enumerate();
    let parameters = parameters.filter(|(_, one)| !(operation.has_pages() && one.name == "limit"));
    let parameters = parameters.map(|(index, one)| OperationOption {
        target: Target::Parameter(index),
        id: format!("parameter:{}", one.name),
        name: if one.place == Place::Path { one.name.clone() } else { option_name(&one.name) },
        description: &one.description,
        value: &one.value,
        default: one.default.as_deref(),
        required: one.required,
        positional: one.place == Place::Path,
    });
    let fields = operation.body.iter().flat_map(|body| body.fields.iter().enumerate());
    let fields = fields.map(|(index, field)| OperationOption {
        target: Target::Field(index),
        id: format!("body:{}", field.name()),
        name: match option_name(&field.name()) {
            name if field.value.secret => format!("{name}-file"),
            name => name,
        },
        description: &field.description,
        value: &field.value,
        default: None,
        // It may be in `--body`. The API names all that are missing.
        required: false,
        positional: false,
    });
    parameters.chain(fields).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn no_option_of_the_api_is_renamed_today() {
        let document = Document::embedded().unwrap();
        for operation in &document.operations {
            for option in options(operation) {
                assert!(!option.name.starts_with("api-"), "{}: {}", operation.id, option.name);
            }
        }
    }

    #[test]
    fn a_name_that_would_hide_an_option_of_this_program_is_changed() {
        assert_eq!(option_name("limits.max_agents"), "limits.max-agents");
        assert_eq!(option_name("url"), "api-url");
    }
}
