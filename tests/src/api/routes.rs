//! The routes of all HTTP functions, with the stores of a world.
//!
//! Those of each area are built in a function of their own, because all of them together need more stack than a test has.

use std::sync::Arc;

use shared::{
    auth::TokenSigner,
    clients::{redis::Redis, s3::Bucket, sqs::Sqs},
    config::{DefaultLimits, FromEnv, IdempotencyConfig, KeptConfig, S3Config, SigningConfig},
    dead_letters::{DeadLetterContext, DeadLetters},
    events::dispatch::Dispatcher,
    http::{Fingerprints, Routes},
    impersonations::ImpersonationSigner,
    overview::LatestDeadLetters,
    revocations::live_list::LiveList,
    super_admins::{AuthContext, IdempotentOperationContext, OperationContext, SignInRateLimiter},
    tenants::ReceiptSigner,
    usage::live_counters::LiveCounters,
};

use super::Parts;

/// What several functions need.
struct Common<'a> {
    parts: &'a Parts,
    fingerprints: Fingerprints,
    dispatcher: Arc<Dispatcher>,
}

impl Common<'_> {
    fn gate(&self) -> AuthContext {
        self.parts.gate()
    }

    fn dispatcher(&self) -> Arc<Dispatcher> {
        Arc::clone(&self.dispatcher)
    }

    fn operations(&self) -> OperationContext {
        OperationContext { auth: self.gate(), dispatcher: self.dispatcher() }
    }

    fn idempotent(&self) -> IdempotentOperationContext {
        let fingerprints = self.fingerprints.clone();
        IdempotentOperationContext { auth: self.gate(), fingerprints, dispatcher: self.dispatcher() }
    }

    fn live_list(&self) -> Arc<LiveList> {
        Arc::new(LiveList::new(Redis::connect(&self.parts.redis).unwrap()))
    }
}

/// The routes of all HTTP functions.
pub fn routes(parts: &Parts) -> Routes {
    let common = Common {
        parts,
        fingerprints: Fingerprints::new(&IdempotencyConfig::from_env().unwrap()),
        dispatcher: Arc::new(Dispatcher::new(parts.queues.clone())),
    };
    let areas: [fn(&Common<'_>) -> Routes; 9] =
        [documents, sign_in, super_admins, tenants, ends, exports, operations, users, impersonations];
    areas.iter().map(|area| area(&common)).fold(platform(&common), Routes::merge)
}

fn platform(common: &Common<'_>) -> Routes {
    let gate = || common.gate();
    let parts = common.parts;
    let dead_letters = LatestDeadLetters::connect(&parts.redis, &parts.redis_prefix).unwrap();
    get_overview::routes(get_overview::App { auth: gate(), dead_letters: Arc::new(dead_letters) })
        .merge(list_clusters::routes(gate()))
        .merge(get_settings::routes(gate()))
        .merge(list_audit::routes(gate()))
        .merge(list_health_history::routes(gate()))
        .merge(check_health::routes(check_health::App::new(&parts.health, gate()).unwrap()))
}

fn documents(_: &Common<'_>) -> Routes {
    get_openapi::routes(get_openapi::App::new())
        .merge(get_asyncapi::routes(get_asyncapi::App::new()))
        .merge(get_console::routes(get_console::App::new(None)))
        .merge(get_docs::routes(get_docs::App::new()))
        .merge(get_problem_type::routes())
        .merge(reject_request::routes())
}

fn sign_in(common: &Common<'_>) -> Routes {
    let parts = common.parts;
    let signer = Arc::new(TokenSigner::new(&SigningConfig::from_env().unwrap(), &parts.tokens).unwrap());
    let rate_limiter = Arc::new(SignInRateLimiter::new(Redis::connect(&parts.redis).unwrap()));
    login::routes(login::App {
        platform: parts.platform.clone(),
        rate_limiter: Arc::clone(&rate_limiter),
        signer: Arc::clone(&signer),
    })
    .merge(refresh_session::routes(refresh_session::App {
        auth: common.gate(),
        rate_limiter: Arc::clone(&rate_limiter),
        signer: Arc::clone(&signer),
        max_age: parts.session_max_age,
    }))
    .merge(get_session::routes(common.gate()))
    .merge(exchange_code::routes(exchange_code::App::new(parts.code_exchange.clone()).unwrap()))
    .merge(change_password::routes(change_password::App { auth: common.gate(), rate_limiter, signer }))
}

fn super_admins(common: &Common<'_>) -> Routes {
    let gate = || common.gate();
    list_admins::routes(gate())
        .merge(get_admin::routes(gate()))
        .merge(create_admin::routes(create_admin::App { auth: gate(), fingerprints: common.fingerprints.clone() }))
        .merge(update_admin::routes(update_admin::App {
            auth: gate(),
            live_list: common.live_list(),
            dispatcher: common.dispatcher(),
        }))
}

fn tenants(common: &Common<'_>) -> Routes {
    let gate = || common.gate();
    list_tenants::routes(gate())
        .merge(list_tenant_usage::routes(list_tenant_usage::App {
            auth: gate(),
            counters: Arc::new(LiveCounters::new(Redis::connect(&common.parts.redis).unwrap())),
        }))
        .merge(get_tenant::routes(gate()))
        .merge(get_usage_history::routes(gate()))
        .merge(update_tenant::routes(update_tenant::App {
            gate: gate(),
            dispatcher: common.dispatcher(),
            live_list: common.live_list(),
        }))
        .merge(create_tenant::routes(create_tenant::App {
            gate: gate(),
            fingerprints: common.fingerprints.clone(),
            dispatcher: common.dispatcher(),
            default_limits: DefaultLimits::from_env().unwrap(),
        }))
        .merge(retry_tenant::routes(common.idempotent()))
}

/// The end of a tenant.
fn ends(common: &Common<'_>) -> Routes {
    let parts = common.parts;
    let signer = ReceiptSigner::new(&parts.impersonation, KeptConfig::from_env().unwrap()).unwrap();
    delete_tenant::routes(delete_tenant::App {
        auth: common.gate(),
        dispatcher: common.dispatcher(),
        live_list: common.live_list(),
    })
    .merge(restore_tenant::routes(common.operations()))
    .merge(get_tenant_receipt::routes(get_tenant_receipt::App { auth: common.gate(), signer: Arc::new(signer) }))
}

fn exports(common: &Common<'_>) -> Routes {
    let gate = || common.gate();
    let bucket = || Arc::new(Bucket::connect(&S3Config::from_env().unwrap()).unwrap());
    create_export::routes(common.idempotent())
        .merge(list_exports::routes(gate()))
        .merge(get_export::routes(gate()))
        .merge(create_export_links::routes(create_export_links::App { auth: gate(), bucket: bucket() }))
        .merge(restore_export::routes(restore_export::App {
            auth: gate(),
            fingerprints: common.fingerprints.clone(),
            dispatcher: common.dispatcher(),
            bucket: bucket(),
        }))
        .merge(promote_tenant::routes(common.idempotent()))
}

/// Operations, and what repairs them.
fn operations(common: &Common<'_>) -> Routes {
    let (gate, parts) = (|| common.gate(), common.parts);
    let dead_letters = Arc::new(DeadLetters::new(Sqs::new(), parts.queues.clone()));
    let dead_letters = DeadLetterContext { auth: gate(), dead_letters };
    list_tenant_operations::routes(gate())
        .merge(list_operations::routes(gate()))
        .merge(get_operation::routes(get_operation::App { auth: gate(), slots: Arc::new(parts.wait_slots()) }))
        .merge(retry_operation::routes(common.operations()))
        .merge(abandon_operation::routes(common.operations()))
        .merge(reconcile_tenants::routes(parts.reconciliation()))
        .merge(get_reconciliation::routes(gate()))
        .merge(list_reconciliations::routes(gate()))
        .merge(list_dead_letters::routes(dead_letters.clone()))
        .merge(redrive_dead_letters::routes(dead_letters))
}

fn users(common: &Common<'_>) -> Routes {
    let (gate, parts) = (|| common.gate(), common.parts);
    list_users::routes(list_users::App { auth: gate(), databases: parts.databases.clone() })
        .merge(search_users::routes(gate()))
        .merge(get_user::routes(get_user::App { auth: gate(), databases: parts.databases.clone() }))
        .merge(create_user::routes(create_user::App {
            auth: gate(),
            databases: parts.databases.clone(),
            fingerprints: common.fingerprints.clone(),
            dispatcher: common.dispatcher(),
        }))
        .merge(update_user::routes(update_user::App {
            auth: gate(),
            databases: parts.databases.clone(),
            dispatcher: common.dispatcher(),
            live_list: common.live_list(),
        }))
        .merge(erase_user::routes(erase_user::App {
            auth: gate(),
            databases: parts.databases.clone(),
            dispatcher: common.dispatcher(),
            live_list: common.live_list(),
        }))
}

fn impersonations(common: &Common<'_>) -> Routes {
    let (gate, parts) = (|| common.gate(), common.parts);
    impersonate_user::routes(impersonate_user::App {
        auth: gate(),
        fingerprints: common.fingerprints.clone(),
        databases: parts.databases.clone(),
        live_list: common.live_list(),
        signer: Arc::new(ImpersonationSigner::new(&parts.impersonation).unwrap()),
        dispatcher: common.dispatcher(),
    })
    .merge(end_impersonation::routes(end_impersonation::App {
        auth: gate(),
        databases: parts.databases.clone(),
        live_list: common.live_list(),
        dispatcher: common.dispatcher(),
    }))
    .merge(list_impersonations::routes(gate()))
    .merge(get_impersonation::routes(gate()))
    .merge(list_signing_keys::routes(list_signing_keys::App::new(&parts.impersonation.published).unwrap()))
}
