//! `GET /api/super-admin/settings`: what is configured, and which version of what runs.

use serde::Serialize;
use shared::{
    config::{SETTINGS, Setting, SettingGroup},
    http::{Json, Result, Routes},
    releases::{self, SchemaVersions},
    routes,
    super_admins::{AuthContext, MayRead},
};
use utoipa::ToSchema;

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_settings)
}

/// The settings of the deployment, and its versions.
#[derive(Debug, Serialize, ToSchema)]
struct SettingsResponse {
    /// The release.
    release: ReleaseResponse,
    /// The versions of the schemas.
    schemas: SchemaVersions,
    /// The settings, in the order of their groups.
    settings: Vec<SettingResponse>,
}

/// The release that runs.
#[derive(Debug, Serialize, ToSchema)]
struct ReleaseResponse {
    /// The version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The commit that was built; `null` if it was not known then.
    #[schema(required = true, example = json!(null))]
    commit: Option<&'static str>,
}

/// A setting that is no secret.
#[derive(Debug, Serialize, ToSchema)]
struct SettingResponse {
    /// The environment variable.
    #[schema(example = "JWT_TTL_SECONDS")]
    name: &'static str,
    /// What it is about.
    group: SettingGroup,
    /// What it means.
    #[schema(example = "the lifetime of an access token")]
    meaning: &'static str,
    /// What applies; `null` if nothing does.
    #[schema(required = true, example = "28800")]
    value: Option<String>,
    /// What applies if nothing is configured; `null` if nothing does then.
    #[schema(required = true, example = "28800")]
    default: Option<&'static str>,
    /// Whether the value differs from the default.
    #[schema(example = false)]
    is_changed: bool,
}

impl From<&Setting> for SettingResponse {
    fn from(setting: &Setting) -> Self {
        let value = setting.value();
        Self {
            name: setting.name,
            group: setting.group,
            meaning: setting.meaning,
            is_changed: value.as_deref() != setting.default,
            value,
            default: setting.default,
        }
    }
}

/// The commit, as the build script has found it.
const COMMIT: &str = env!("BUILT_COMMIT");

/// Get the settings
///
/// What is configured, with the defaults, and which version of what runs. It contains neither secrets nor addresses of stores and services.
#[utoipa::path(
    get,
    path = "/api/super-admin/settings",
    responses((status = 200, description = "The settings and the versions", body = SettingsResponse)),
    security(("bearer" = []))
)]
async fn get_settings(reader: MayRead) -> Result<Json<SettingsResponse>> {
    let schemas = reader.admit(releases::store::find_versions(reader.client())).await?;
    let release = ReleaseResponse {
        version: env!("CARGO_PKG_VERSION"),
        commit: Some(COMMIT).filter(|commit| !commit.is_empty()),
    };
    Ok(Json(SettingsResponse { release, schemas, settings: SETTINGS.iter().map(SettingResponse::from).collect() }))
}
