//! Ids: UUIDv7 (RFC 9562), so that rows are inserted in the order of time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::types::InvalidValue;

macro_rules! id {
    (#[doc = $doc:literal] $name:ident $(as $schema:literal)?, $example:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The example in the API's description.
            pub const EXAMPLE: &str = $example;

            /// A new id, greater than those generated before it.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        cfg_http! {
            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    utoipa::openapi::ObjectBuilder::new()
                        .schema_type(utoipa::openapi::Type::String)
                        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
                        .description(Some($doc.trim()))
                        .examples([Self::EXAMPLE])
                        .into()
                }
            }
        }

        cfg_http! {
            impl utoipa::ToSchema for $name {
                $(fn name() -> std::borrow::Cow<'static, str> {
                    $schema.into()
                })?
            }
        }

        parsed_from_string!($name, str::parse);
        named_parameter!($name);

        impl<'a> tokio_postgres::types::FromSql<'a> for $name {
            fn from_sql(
                kind: &tokio_postgres::types::Type,
                raw: &'a [u8],
            ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
                Uuid::from_sql(kind, raw).map(Self)
            }

            fn accepts(kind: &tokio_postgres::types::Type) -> bool {
                <Uuid as tokio_postgres::types::FromSql>::accepts(kind)
            }
        }

        impl tokio_postgres::types::ToSql for $name {
            fn to_sql(
                &self,
                kind: &tokio_postgres::types::Type,
                out: &mut bytes::BytesMut,
            ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
                self.0.to_sql(kind, out)
            }

            fn accepts(kind: &tokio_postgres::types::Type) -> bool {
                <Uuid as tokio_postgres::types::ToSql>::accepts(kind)
            }

            tokio_postgres::types::to_sql_checked!();
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            /// Accepts only the hyphenated form, so that one thing has one URL.
            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == uuid::fmt::Hyphenated::LENGTH => Ok(Self(id)),
                    _ => Err(InvalidValue::format("must be a UUID such as 0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee")),
                }
            }
        }
    };
}

id!(
    /// A tenant.
    TenantId, "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee"
);
id!(
    /// An operation on a tenant.
    OperationId, "0190a0c5-12f0-7d44-8a6e-4b7d0dec0de5"
);
id!(
    /// An export of a tenant.
    ExportId, "0190a0c6-44b8-7e21-b0d3-9f4c2a7be5a1"
);
id!(
    /// A comparison of what should be with what is.
    ReconciliationId, "0190a0cb-3d52-7f18-a4c6-8e2f5b7a91d0"
);
id!(
    /// A super-admin.
    SuperAdminId as "AdminId", "0190a0c1-55aa-7b10-9e42-3c7d0b0bb0b5"
);
id!(
    /// A user of a tenant.
    UserId as "AgentId", "0190a0c7-2b1d-7e55-8c3f-6d2e0a11ce01"
);
id!(
    /// An impersonation of a user by a super-admin.
    ImpersonationId, "0190a0c9-71e3-7a2c-9f10-7e3b1c0a55ed"
);

impl TenantId {
    /// The prefix of the tenant's objects in the bucket, with its slash.
    pub fn object_prefix(self) -> String {
        format!("tenants/{self}/")
    }
}
