//! How the command of an operation follows from its method and its path. The README states these rules too, for programs that
//! show a command without running this one.
//!
//! 1. The words are the segments of the path below `/api/super-admin`, without parameters, without `.json`, and without a segment
//!    that begins with a dot.
//! 2. If the path ends with a parameter, the method adds `get`, `update` (`PATCH`), `replace` (`PUT`) or `delete`.
//! 3. Otherwise `GET` adds `list` if the response is an array, and nothing else; `POST` adds `create` if the path also has a `GET`,
//!    and nothing otherwise, because the last word is a verb then (`retry`); `PATCH`, `PUT` and `DELETE` as in the second rule.
//! 4. [`EXCEPTIONS`] replace the last word.

const BASE: &str = "/api/super-admin";

/// Method, path, and the verb that people use for it.
pub(crate) const EXCEPTIONS: [(&str, &str, &str); 2] =
    [("POST", "/impersonations", "start"), ("DELETE", "/impersonations/{id}", "end")];

/// The words of a command. `has_get`: the path also has a `GET`.
pub(crate) fn command(method: &str, path: &str, is_list: bool, has_get: bool) -> Vec<String> {
    let path = path.strip_prefix(BASE).unwrap_or(path);
    let segments = || path.split('/').filter(|segment| !segment.is_empty());
    let is_parameter = |segment: &str| segment.starts_with('{');
    let mut words: Vec<String> = segments()
        .filter(|segment| !is_parameter(segment) && !segment.starts_with('.'))
        .map(|segment| segment.trim_end_matches(".json").to_owned())
        .collect();
    let exception = EXCEPTIONS.iter().find(|(of_method, of_path, _)| (*of_method, *of_path) == (method, path));
    let ends_with_parameter = segments().next_back().is_some_and(is_parameter);
    let verb = match (exception, method) {
        (Some((_, _, verb)), _) => Some(*verb),
        (None, "GET") if ends_with_parameter => Some("get"),
        (None, "GET") => is_list.then_some("list"),
        (None, "POST") => has_get.then_some("create"),
        (None, "PATCH") => Some("update"),
        (None, "PUT") => Some("replace"),
        (None, "DELETE") => Some("delete"),
        _ => None,
    };
    words.extend(verb.map(ToOwned::to_owned));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_follows_from_the_method_and_the_path() {
        for (method, path, is_list, has_get, expected) in [
            ("GET", "/api/super-admin/tenants", true, true, "tenants list"),
            ("POST", "/api/super-admin/tenants", false, true, "tenants create"),
            ("GET", "/api/super-admin/tenants/{id}", false, true, "tenants get"),
            ("PATCH", "/api/super-admin/tenants/{id}", false, true, "tenants update"),
            ("DELETE", "/api/super-admin/tenants/{id}", false, true, "tenants delete"),
            ("POST", "/api/super-admin/tenants/{id}/retry", false, false, "tenants retry"),
            ("GET", "/api/super-admin/tenants/usage", true, true, "tenants usage list"),
            ("GET", "/api/super-admin/tenants/{id}/users/{user_id}", false, true, "tenants users get"),
            ("POST", "/api/super-admin/impersonations", false, true, "impersonations start"),
            ("DELETE", "/api/super-admin/impersonations/{id}", false, true, "impersonations end"),
            ("GET", "/api/super-admin/health", false, true, "health"),
            ("GET", "/api/super-admin/openapi.json", false, true, "openapi"),
            ("POST", "/api/super-admin/auth/login", false, false, "auth login"),
            ("DELETE", "/api/super-admin/auth/sessions/{id}", false, false, "auth sessions delete"),
            ("GET", "/.well-known/jwks.json", false, true, "jwks"),
        ] {
            assert_eq!(command(method, path, is_list, has_get).join(" "), expected, "{method} {path}");
        }
    }
}
