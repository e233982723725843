//! What this program needs of the schemas in the description: the fields of bodies and of responses, without nesting.

use serde_json::Value;

use super::ordered::ORDER;

/// Deeper objects are one value. No schema of the description refers to itself; this ends the walk if one ever does.
const MAX_DEPTH: usize = 6;

/// How a value is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Several values of one kind.
    List(Box<Kind>),
    /// Any JSON.
    Json,
}

/// The type of a value.
#[derive(Clone, Debug)]
pub(crate) struct ValueType {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// The values that the description lists. The API may accept others, because a newer one can have more.
    pub(crate) choices: Vec<String>,
    /// A password.
    pub(crate) secret: bool,
}

/// A value in an object, with the names that lead to it: `limits`, `max_agents`.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) path: Vec<String>,
    pub(crate) description: String,
    pub(crate) value: ValueType,
    /// It and every object around it are required.
    pub(crate) required: bool,
}

impl Field {
    /// `limits.max_agents`
    pub(crate) fn name(&self) -> String {
        self.path.join(".")
    }
}

struct Property<'a> {
    name: &'a str,
    schema: &'a Value,
    required: bool,
}

/// The schemas of a description.
#[derive(Clone, Copy)]
pub(crate) struct Schemas<'a>(pub(crate) &'a Value);

impl<'a> Schemas<'a> {
    /// The schema that a reference names; others are returned as they are.
    pub(crate) fn resolve(self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            let Some(pointer) = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#')) else { break };
            schema = self.0.pointer(pointer).unwrap_or(&Value::Null);
        }
        schema
    }

    pub(crate) fn is_list(self, schema: &'a Value) -> bool {
        self.resolve(schema)["type"] == "array"
    }

    /// The fields of an object, in the order of the description. Empty if it has no described ones.
    pub(crate) fn fields(self, schema: &'a Value) -> Vec<Field> {
        let mut fields = Vec::new();
        self.collect(schema, &[], true, &mut fields);
        fields
    }

    fn collect(self, schema: &'a Value, at: &[String], required: bool, fields: &mut Vec<Field>) {
        for property in self.properties(schema, at.len()) {
            let path = [at, &[property.name.to_owned()]].concat();
            let required = required && property.required;
            if at.len() < MAX_DEPTH && !self.properties(property.schema, at.len()).is_empty() {
                self.collect(property.schema, &path, required, fields);
            } else {
                let description = self.description(property.schema);
                fields.push(Field { path, description, value: self.value_type(property.schema), required });
            }
        }
    }

    /// Its own properties, and those of the schemas that it combines. Of alternatives, none is required.
    fn properties(self, schema: &'a Value, depth: usize) -> Vec<Property<'a>> {
        let schema = self.resolve(schema);
        if depth > MAX_DEPTH {
            return Vec::new();
        }
        let is_required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let own = schema[ORDER].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut found: Vec<Property<'a>> = own
            .map(|name| Property { name, schema: &schema["properties"][name], required: is_required(name) })
            .collect();
        let mut add = |part: &'a Value, optional: bool| {
            for property in self.properties(part, depth + 1) {
                if !found.iter().any(|one| one.name == property.name) {
                    found.push(Property { required: property.required && !optional, ..property });
                }
            }
        };
        schema["allOf"].as_array().into_iter().flatten().for_each(|part| add(part, false));
        let alternatives = ["oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
        let alternatives: Vec<&Value> = alternatives.filter(|part| part["type"] != "null").collect();
        let optional = alternatives.len() > 1;
        for part in alternatives {
            add(part, optional);
        }
        found
    }

    /// The description of a property, or that of the schema to which it refers.
    pub(crate) fn description(self, schema: &'a Value) -> String {
        let own = schema["description"].as_str();
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        let text = own.or_else(|| alternatives.into_iter().find_map(|part| part["description"].as_str()));
        text.or_else(|| self.resolve(schema)["description"].as_str()).unwrap_or_default().replace('\n', " ")
    }

    pub(crate) fn value_type(self, schema: &'a Value) -> ValueType {
        let schema = self.resolve(schema);
        let alternatives = ["oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
        let (null, others): (Vec<&Value>, Vec<&Value>) = alternatives.partition(|part| part["type"] == "null");
        if let [only] = others.as_slice() {
            let inner = self.value_type(only);
            return ValueType { nullable: inner.nullable || !null.is_empty(), ..inner };
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        let kind = match types.iter().find(|name| **name != "null") {
            Some(&"string") => Kind::Text,
            Some(&"integer") => Kind::Integer,
            Some(&"number") => Kind::Number,
            Some(&"boolean") => Kind::Boolean,
            Some(&"array") => match self.value_type(&schema["items"]).kind {
                Kind::Json | Kind::List(_) => Kind::Json,
                kind => Kind::List(Box::new(kind)),
            },
            _ => Kind::Json,
        };
        let listed = if matches!(kind, Kind::List(_)) { self.resolve(&schema["items"]) } else { schema };
        let choices = listed["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        ValueType {
            kind,
            nullable: types.contains(&"null"),
            choices: choices.map(ToOwned::to_owned).collect(),
            secret: schema["format"] == "password",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::ordered::ordered;

    #[test]
    fn nested_objects_become_dotted_fields_in_the_order_of_the_description() {
        let document = ordered(
            r##"{"components": {"schemas": {
            "Limits": {"type": "object", "properties": {"max_agents": {"type": ["integer", "null"]}}},
            "Tenant": {"allOf": [
                {"type": "object", "required": ["slug", "limits"], "properties": {
                    "slug": {"type": "string"},
                    "limits": {"$ref": "#/components/schemas/Limits", "description": "What\nis allowed"},
                    "details": {"type": "object"}
                }},
                {"type": "object", "properties": {
                    "operation": {"oneOf": [{"$ref": "#/components/schemas/Limits"}, {"type": "null"}]},
                    "roles": {"type": "array", "items": {"type": "string", "enum": ["admin"]}},
                    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Limits"}}
                }}
            ]}
        }}}"##,
        );
        let reference = json!({"$ref": "#/components/schemas/Tenant"});
        let fields = Schemas(&document).fields(&reference);
        let seen: Vec<_> =
            fields.iter().map(|field| (field.name(), field.value.kind.clone(), field.required)).collect();
        let expected = [
            ("slug", Kind::Text, true),
            ("limits.max_agents", Kind::Integer, false),
            ("details", Kind::Json, false),
            ("operation.max_agents", Kind::Integer, false),
            ("roles", Kind::List(Box::new(Kind::Text)), false),
            ("steps", Kind::Json, false),
        ];
        assert_eq!(seen, expected.map(|(name, kind, required)| (name.to_owned(), kind, required)));
        assert!(fields[1].value.nullable && !fields[0].value.nullable);
        assert_eq!(fields[4].value.choices, ["admin"]);
    }

    #[test]
    fn of_alternatives_every_field_is_optional() {
        let document = json!({});
        let schema = ordered(
            r#"{"oneOf": [
            {"type": "object", "required": ["status", "checked_at"], "properties": {"status": {}, "checked_at": {}}},
            {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
        ]}"#,
        );
        let fields = Schemas(&document).fields(&schema);
        assert_eq!(fields.iter().map(Field::name).collect::<Vec<_>>(), ["status", "checked_at"]);
        assert!(fields.iter().all(|field| !field.required));
    }
}
