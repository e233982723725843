//! The script that prepares a PostgreSQL cluster, run as on Amazon RDS: the administrator is no superuser, TLS is required, and the
//! server's certificate is of an authority that no list contains.

use shared::config::{Clusters, PostgresConfig};
use tests::second_server::SecondServer;

const PASSWORDS: [(&str, &str); 3] = [
    ("LANDLORD_PASSWORD", "it's \"the\" owner"),
    ("LANDLORD_API_PASSWORD", "api"),
    ("LANDLORD_PROVISIONER_PASSWORD", "provisioner"),
];

/// Runs the script as the master user.
fn set_up(server: &SecondServer, variables: &[(&str, &str)]) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/setup-postgresql.sql");
    let mut psql = server.psql(server.url("master", "master", "postgres"), variables);
    let output = psql.arg(format!("--file={script}")).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_user_who_is_no_superuser_prepares_a_cluster_that_the_functions_can_use() {
    let server = SecondServer::start().await;
    let sql = |text: &str| {
        let output = server.psql(server.socket(), &[]).arg(format!("--command={text}")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    // The attributes and memberships of a master user of RDS.
    sql("CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'master'");
    let _granted = sql("GRANT pg_read_all_stats, pg_signal_backend TO master WITH ADMIN OPTION");

    let (done, errors) = set_up(&server, &PASSWORDS);
    assert!(done, "{errors}");
    let (again, errors) = set_up(&server, &PASSWORDS);
    assert!(again, "the script is idempotent: {errors}");
    let (done, errors) = set_up(&server, &PASSWORDS[..2]);
    assert!(
        !done && errors.contains("LANDLORD_PROVISIONER_PASSWORD is not set"),
        "a missing password is an error: {errors}"
    );

    // The password contains characters that must be escaped in a URL.
    let owner = server.url("landlord", "it%27s%20%22the%22%20owner", "landlord");
    let owner = PostgresConfig { ca_file: Some(server.authority.clone()), ..PostgresConfig::new(owner) };
    let clusters = Clusters::single(owner.url.clone());
    let schema = migrate_platform::TenantSchema::current();
    let summary = migrate_platform::run(&owner, &clusters, &schema, None).await.unwrap();
    assert_eq!((summary.platform_version, summary.templates_created.len()), (1, 1));
    for (login, password, query) in [
        ("landlord_api_login", "api", "SELECT count(*) FROM tenants"),
        ("landlord_provisioner_login", "provisioner", "SELECT count(*) FROM operations"),
    ] {
        let output =
            server.psql(server.url(login, password, "landlord"), &[]).arg(format!("--command={query}")).output();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap().trim(), "0", "{login}");
    }
    assert_eq!(sql("SELECT rolsuper FROM pg_roles WHERE rolname LIKE 'landlord%' AND rolsuper"), "");
    let ends_sessions = "SELECT pg_has_role('landlord_provisioner_login', 'pg_signal_backend', 'USAGE')";
    assert_eq!(sql(ends_sessions), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_for_tenants_only_gets_no_platform_database() {
    let server = SecondServer::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/setup-postgresql.sql");
    let mut psql = server.psql(server.socket(), &PASSWORDS);
    let output = psql.args(["--set=platform=false", &format!("--file={script}")]).output().unwrap();
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{warnings}");
    // The server has PostgreSQL's defaults.
    assert!(warnings.contains("authentication_timeout is 1min"), "{warnings}");
    let names = "--command=SELECT datname FROM pg_database WHERE datname = 'landlord'";
    assert!(server.psql(server.socket(), &[]).arg(names).output().unwrap().stdout.is_empty());
}
