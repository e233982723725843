//! Rate limits in the description: the header fields about quotas, and the responses of the gateway, which refuses requests before
//! they reach a function.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, ContentBuilder, Header, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type, path::Operation,
    },
};

/// The limits that apply to a request. A header of every response.
pub(super) const POLICY: &str = "ratelimit-policy";
/// What is left of the limits that the operation counts. A header of the responses of operations that count requests.
const LEFT: &str = "ratelimit";

const TOO_MANY_REQUESTS: &str = "429";
const SHARED_NAME: &str = "TooManyRequests";
const GATEWAY_REFUSES: &str = "The gateway receives more requests per second than the API accepts from all callers together. \
    This response comes from the gateway: it has none of the headers of the API and no `Retry-After`. Repeat the request after \
    about a second.";

/// The body of a response of the gateway.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described here; the gateway sends it")]
pub(super) struct GatewayError {
    /// What has happened.
    #[schema(example = "Too Many Requests")]
    message: String,
}

/// Adds the gateway's 429 to an operation, and the header about what is left if the operation counts requests.
pub(super) fn complete(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let counts = responses.contains_key(TOO_MANY_REQUESTS) || responses.values().any(|one| has_header(one, LEFT));
    if counts {
        for response in responses.values_mut() {
            refer_to(response, LEFT);
        }
    }
    match responses.get_mut(TOO_MANY_REQUESTS) {
        Some(RefOr::T(own)) => {
            own.description = format!("{} Or: {GATEWAY_REFUSES}", own.description);
            own.content.insert(MEDIA_TYPE.to_owned(), RefOr::T(content()));
        }
        Some(RefOr::Ref(_)) => {}
        None => {
            responses.insert(TOO_MANY_REQUESTS.to_owned(), RefOr::Ref(Ref::from_response_name(SHARED_NAME)));
        }
    }
}

/// The response of the gateway for all operations, with its name.
pub(super) fn gateway_response() -> (String, RefOr<Response>) {
    let response = ResponseBuilder::new().description(GATEWAY_REFUSES).content(MEDIA_TYPE, content()).build();
    (SHARED_NAME.to_owned(), RefOr::T(response))
}

const MEDIA_TYPE: &str = "application/json";

fn content() -> Content {
    let example = serde_json::json!({ "message": "Too Many Requests" });
    ContentBuilder::new().schema(Some(Ref::from_schema_name(GatewayError::name()))).example(Some(example)).build()
}

fn has_header(response: &RefOr<Response>, name: &str) -> bool {
    matches!(response, RefOr::T(response) if response.headers.contains_key(name))
}

/// Refers to a header that is described in the components.
pub(super) fn refer_to(response: &mut RefOr<Response>, header: &str) {
    if let RefOr::T(response) = response {
        let reference = Ref::new(format!("#/components/headers/{header}"));
        response.headers.insert(header.to_owned(), RefOr::Ref(reference));
    }
}

pub(super) fn headers() -> [(String, RefOr<Header>); 2] {
    let header = |description: &str, example: &str| {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
        header.description = Some(description.to_owned());
        header.example = Some(example.into());
        RefOr::T(header)
    };
    [
        (
            POLICY.to_owned(),
            header(
                "The limits that apply to the request (draft-ietf-httpapi-ratelimit-headers-11): `q` requests in `w` seconds. \
                 `gateway` is the limit of all callers together, which the deployment sets",
                r#""account_and_address";q=10;w=900, "gateway";q=10;w=1"#,
            ),
        ),
        (
            LEFT.to_owned(),
            header(
                "What is left of the limits that this operation counts: `r` requests, and more in `t` seconds. Absent if the \
                 request was not counted",
                r#""account_and_address";r=7;t=540"#,
            ),
        ),
    ]
}

/// The schemas in these responses.
pub(super) fn schemas() -> [(String, RefOr<utoipa::openapi::Schema>); 1] {
    [(GatewayError::name().into_owned(), GatewayError::schema())]
}
