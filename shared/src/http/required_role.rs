//! The role that an operation requires of its caller, as its handler enforces it: the role of the extractor among the handler's
//! arguments. The description of the API contains it, so that it is stated once.

use axum::{
    extract::{Path, State},
    handler::Handler,
    http::{HeaderMap, Uri},
};
use utoipa::openapi::OpenApi;

use crate::{
    http::{
        IdPath, IdempotencyKey, IfMatch, IfNoneMatch, JsonBody, ListRequest, Query, QueryReader, RequestInfo,
        TenantExportPath, TenantPath, TenantUserPath,
    },
    types::SuperAdminRole,
};

/// The extension of an operation that contains the role; `none` if it requires no token.
pub(super) const EXTENSION: &str = "x-required-role";

/// An argument of a handler.
#[diagnostic::on_unimplemented(
    message = "the role that `{Self}` requires of a caller is not declared",
    note = "implement `HandlerArgument` for it; the default is that it requires none"
)]
pub trait HandlerArgument {
    /// The role of the caller, without which the argument is refused. `None` if it requires no token.
    const REQUIRED_ROLE: Option<SuperAdminRole> = None;
}

macro_rules! requires_no_role {
    ($($generic:ident<T>),+; $($argument:ident),+) => {
        $(impl<T> HandlerArgument for $generic<T> {})+
        $(impl HandlerArgument for $argument {})+
    };
}
requires_no_role!(
    IdPath<T>, JsonBody<T>, ListRequest<T>, Path<T>, Query<T>, State<T>;
    HeaderMap, IdempotencyKey, IfMatch, IfNoneMatch, QueryReader, RequestInfo, TenantExportPath, TenantPath, TenantUserPath, Uri
);

impl<T> HandlerArgument for Option<JsonBody<T>> {}

/// The arguments of a handler, as the parameter of [`Handler`] contains them: after a mark.
pub trait HandlerArguments {
    const REQUIRED_ROLE: Option<SuperAdminRole>;
}

impl HandlerArguments for ((),) {
    const REQUIRED_ROLE: Option<SuperAdminRole> = None;
}

macro_rules! handler_arguments {
    ($($argument:ident)+) => {
        impl<M, $($argument: HandlerArgument),+> HandlerArguments for (M, $($argument,)+) {
            const REQUIRED_ROLE: Option<SuperAdminRole> = first(&[$($argument::REQUIRED_ROLE),+]);
        }
    };
}
handler_arguments!(A);
handler_arguments!(A B);
handler_arguments!(A B C);
handler_arguments!(A B C D);
handler_arguments!(A B C D E);
handler_arguments!(A B C D E F);
handler_arguments!(A B C D E F G);

const fn first(roles: &[Option<SuperAdminRole>]) -> Option<SuperAdminRole> {
    match roles {
        [] => None,
        [Some(role), ..] => Some(*role),
        [None, others @ ..] => first(others),
    }
}

/// The role that a handler requires.
pub fn required_role<H, T, S>(_: &H) -> Option<SuperAdminRole>
where
    H: Handler<T, S>,
    T: HandlerArguments,
{
    T::REQUIRED_ROLE
}

/// Adds the role to each operation of a description, as an extension.
pub fn with_required_role(mut api: OpenApi, role: Option<SuperAdminRole>) -> OpenApi {
    for operation in api.paths.paths.values_mut().flat_map(super::openapi::operations) {
        let role = role.map_or("none", SuperAdminRole::as_str);
        operation.extensions.get_or_insert_default().insert(EXTENSION.to_owned(), role.into());
    }
    api
}
