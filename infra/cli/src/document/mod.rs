//! The API's description, `infra/openapi.json`. It is part of this program, so that every operation has a command.

pub(crate) mod names;
pub(crate) mod ordered;
pub(crate) mod schema;

use serde_json::Value;

use crate::error::{CliError, Result};
use ordered::Ordered;
use schema::{Field, Schemas, ValueType};

/// `infra/openapi.json`
pub(crate) const TEXT: &str = include_str!("../../../openapi.json");

pub(crate) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub(crate) struct Document {
    pub(crate) operations: Vec<Operation>,
    /// Name and description.
    tags: Vec<(String, String)>,
}

/// One operation of the API: the command `words`.
pub(crate) struct Operation {
    pub(crate) id: String,
    /// In capital letters.
    pub(crate) method: String,
    /// With the names of parameters: `/api/super-admin/tenants/{id}`.
    pub(crate) path: String,
    pub(crate) words: Vec<String>,
    pub(crate) tag: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) response: Response,
    pub(crate) needs_token: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) description: String,
    pub(crate) required: bool,
    pub(crate) value: ValueType,
    pub(crate) default: Option<String>,
    pub(crate) maximum: Option<u64>,
}

pub(crate) struct Body {
    pub(crate) required: bool,
    pub(crate) fields: Vec<Field>,
}

/// What a successful response contains.
pub(crate) struct Response {
    pub(crate) is_list: bool,
    /// Of the object, or of each item of the list. Empty if the description names none.
    pub(crate) fields: Vec<Field>,
    /// The work goes on in an operation, which the header `Operation-Location` names.
    pub(crate) starts_operation: bool,
    /// Statuses of failures whose body is the same as that of a success, such as a report on health.
    pub(crate) reported_failures: Vec<u16>,
}

impl Document {
    pub(crate) fn embedded() -> Result<Self> {
        let document: Ordered = serde_json::from_str(TEXT)
            .map_err(|error| CliError::failed(format!("error: the API's description is malformed: {error}")))?;
        Ok(Self::read(&document.value))
    }

    pub(crate) fn read(document: &Value) -> Self {
        let schemas = Schemas(document);
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                if let Some(described) = item.get(method) {
                    operations.push(Operation::read(schemas, path, method, item, described));
                }
            }
        }
        let tags = document["tags"].as_array().into_iter().flatten();
        let tags = tags.map(|tag| (text(&tag["name"]), text(&tag["description"]))).collect();
        Self { operations, tags }
    }

    pub(crate) fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        self.operations.iter().find(|one| one.method == method && one.path == path)
    }

    pub(crate) fn tag_description(&self, name: &str) -> &str {
        self.tags.iter().find(|(tag, _)| tag == name).map_or("", |(_, description)| description.trim_end_matches('.'))
    }
}

impl Operation {
    fn read(schemas: Schemas<'_>, path: &str, method: &str, item: &Value, described: &Value) -> Self {
        let responses = described["responses"].as_object().into_iter().flatten();
        let responses: Vec<(u16, &Value)> =
            responses.filter_map(|(status, response)| Some((status.parse().ok()?, response))).collect();
        let response = Response::read(schemas, &responses);
        let shared = item["parameters"].as_array().into_iter().flatten();
        let parameters = shared.chain(described["parameters"].as_array().into_iter().flatten());
        let body = described.get("requestBody").map(|body| schemas.resolve(body)).map(|body| Body {
            required: body["required"] == true,
            fields: schemas.fields(&body["content"]["application/json"]["schema"]),
        });
        let security = described["security"].as_array().into_iter().flatten();
        let is_open = security.into_iter().any(|one| one.as_object().is_some_and(serde_json::Map::is_empty));
        let method = method.to_uppercase();
        Self {
            id: text(&described["operationId"]),
            words: names::command(&method, path, response.is_list, item.get("get").is_some()),
            method,
            path: path.to_owned(),
            tag: text(&described["tags"][0]),
            summary: text(&described["summary"]),
            description: text(&described["description"]),
            parameters: parameters.map(|parameter| Parameter::read(schemas, parameter)).collect(),
            body,
            response,
            needs_token: !is_open,
        }
    }

    pub(crate) fn parameter(&self, place: Place, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|one| one.place == place && one.name == name)
    }

    /// A list whose pages are linked.
    pub(crate) fn has_pages(&self) -> bool {
        self.response.is_list && self.parameter(Place::Query, "cursor").is_some()
    }

    /// The fields of the response that are credentials.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &str> {
        let names = ["token", "access_token", "refresh_token"];
        let fields = self.response.fields.iter().filter(|_| !self.response.is_list);
        fields.filter_map(move |field| names.into_iter().find(|name| field.path == [*name]))
    }
}

impl Parameter {
    fn read(schemas: Schemas<'_>, parameter: &Value) -> Self {
        let parameter = schemas.resolve(parameter);
        let schema = &parameter["schema"];
        let place = match parameter["in"].as_str() {
            Some("path") => Place::Path,
            Some("header") => Place::Header,
            _ => Place::Query,
        };
        let default = match &schema["default"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Self {
            name: text(&parameter["name"]),
            place,
            description: text(&parameter["description"]),
            required: parameter["required"] == true,
            value: schemas.value_type(schema),
            default,
            maximum: schema["maximum"].as_u64(),
        }
    }
}

impl Response {
    fn read(schemas: Schemas<'_>, responses: &[(u16, &Value)]) -> Self {
        let success = responses.iter().find(|(status, _)| (200..300).contains(status));
        let success = success.map_or(&Value::Null, |(_, response)| schemas.resolve(response));
        let content = success["content"].as_object().into_iter().flatten();
        let json = content.into_iter().find(|(media_type, _)| media_type.ends_with("json"));
        let schema = json.map_or(&Value::Null, |(_, media)| &media["schema"]);
        let is_list = schemas.is_list(schema);
        let item = if is_list { &schemas.resolve(schema)["items"] } else { schema };
        let reports =
            |response: &Value| schema.is_object() && response["content"]["application/json"]["schema"] == *schema;
        let failures = responses.iter().filter(|(status, response)| *status >= 500 && reports(response));
        Self {
            is_list,
            fields: schemas.fields(item),
            starts_operation: success["headers"].get("operation-location").is_some(),
            reported_failures: failures.map(|(status, _)| *status).collect(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
