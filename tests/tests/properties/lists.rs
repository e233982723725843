//! Lists: page by page, each list is what SQL selects, in its order, while rows are inserted before and after the end of the page.

use std::{ops::Range, rc::Rc};

use proptest::{collection::vec, prelude::*, sample::select};
use proptest_state_machine::ReferenceStateMachine;
use reqwest::StatusCode;
use shared::{tenants::TENANT_SCHEMA_VERSION, types::TenantId};
use tests::{Answer, Api, TestTenant, World};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::runner::Property;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Tenants,
    Operations,
    Audit,
    Impersonations,
    Users,
    /// Sorted by a figure that tenants may not have.
    Usage,
}

/// A row to insert. Times are few, so that many rows have the same one, and ids come in any order.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    id: Uuid,
    second: u8,
    /// Of a filter; the filter of a case selects two of three.
    class: u8,
    figure: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Insert(Row),
    ReadPage,
}

/// A list, and how it is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    list: List,
    descending: bool,
    is_filtered: bool,
    limit: usize,
    initial: Vec<Row>,
}

/// What distinguishes the lists.
struct Sql {
    path: &'static str,
    /// The field that it is sorted by.
    sort: &'static str,
    table: &'static str,
    filter: &'static str,
    condition: &'static str,
}

impl List {
    fn sql(self) -> Sql {
        let (path, sort, table, filter, condition) = match self {
            Self::Tenants => {
                ("/tenants?", "created_at", "tenants", "status=active,suspended", "status IN ('active', 'suspended')")
            }
            Self::Operations => (
                "/operations?",
                "created_at",
                "operations",
                "status=succeeded,failed",
                "status IN ('succeeded', 'failed')",
            ),
            Self::Audit => ("/audit?", "at", "audit", "action=tenant.update", "action = 'tenant.update'"),
            Self::Impersonations => (
                "/impersonations?",
                "started_at",
                "impersonations",
                "admin_id=a-super-admin",
                "admin_id = 'a-super-admin'",
            ),
            Self::Users => ("/users?", "created_at", "users", "role=agent,admin", "role IN ('agent', 'admin')"),
            Self::Usage => (
                "/tenants/usage?",
                "agents",
                "tenants JOIN tenant_usage ON tenant_id = id",
                "status=active,suspended",
                "status IN ('active', 'suspended')",
            ),
        };
        Sql { path, sort, table, filter, condition }
    }
}

fn row() -> BoxedStrategy<Row> {
    (any::<u128>(), 0_u8..6, 0_u8..3, prop::option::of(0_i64..4))
        .prop_map(|(id, second, class, figure)| Row { id: Uuid::from_u128(id), second, class, figure })
        .boxed()
}

impl ReferenceStateMachine for Reading {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        let lists = vec![List::Tenants, List::Operations, List::Audit, List::Impersonations, List::Users, List::Usage];
        (select(lists), any::<bool>(), any::<bool>(), 1_usize..6, vec(row(), 0..20))
            .prop_map(|(list, descending, is_filtered, limit, initial)| Self {
                list,
                descending,
                is_filtered,
                limit,
                initial,
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        prop_oneof![row().prop_map(Transition::Insert), Just(Transition::ReadPage)].boxed()
    }

    fn apply(state: Self, _: &Transition) -> Self {
        state
    }
}

pub(crate) struct ListsStage {
    owner: Client,
    api: Api,
    world: World,
    tenant: TestTenant,
}

pub(crate) struct ListsTest {
    stage: Rc<ListsStage>,
    reading: Reading,
    /// The database that contains the list.
    client: Client,
    /// The ids on the pages so far.
    read: Vec<String>,
    /// The ids before the first page.
    initial: Vec<String>,
    /// The path of the next page; `None` after the last one.
    next: Option<String>,
}

impl Property for ListsTest {
    type Stage = ListsStage;
    type Reference = Reading;
    const NAME: &'static str = "lists";
    const CASES: u32 = 60;
    const STEPS: Range<usize> = 4..20;

    async fn stage(world: World) -> ListsStage {
        world.leaves_contradictions("rows are inserted without what they belong to");
        let owner = world.patient_client().await;
        let tenant = TestTenant::of(TenantId::generate());
        tenant.clone_database(&owner).await;
        ListsStage { owner, api: Api::of(&world).await, world, tenant }
    }

    async fn begin(stage: Rc<ListsStage>, reading: &Reading) -> Self {
        let reading = reading.clone();
        stage.owner.batch_execute("TRUNCATE tenants, audit CASCADE").await.unwrap();
        let tenant = &stage.tenant;
        // With its name in the ledger, its database is removed after the test.
        tenant.register(&stage.owner, TENANT_SCHEMA_VERSION, None).await;
        let client = if reading.list == List::Users {
            let inside = tenant.inside(&stage.world).await;
            inside.batch_execute("TRUNCATE users CASCADE").await.unwrap();
            tenant.insert_first_user(&inside).await;
            inside
        } else {
            stage.world.client().await
        };
        let Sql { path, sort, filter, .. } = reading.list.sql();
        let sign = if reading.descending { "-" } else { "" };
        let mut path = format!("{path}sort={sign}{sort}&limit={}", reading.limit);
        if reading.is_filtered {
            path = format!("{path}&{filter}");
        }
        if reading.list == List::Users {
            path = format!("{path}&tenant_id={}", tenant.id);
        }
        let mut test = Self { stage, client, read: Vec::new(), initial: Vec::new(), next: Some(path), reading };
        for row in &test.reading.initial {
            test.insert(row).await;
        }
        test.initial = test.selected().await;
        test
    }

    async fn end(mut self, _: Reading) {
        while self.next.is_some() {
            self.read_page().await;
        }
        let selected = self.selected().await;
        let read = |id: &&String| self.read.contains(id);
        assert_eq!(selected.iter().filter(read).collect::<Vec<_>>(), self.read.iter().collect::<Vec<_>>(), "the order");
        let missing: Vec<_> = self.initial.iter().filter(|id| !read(id)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "all rows from before the first page");
    }

    async fn step(&mut self, _: &Reading, transition: &Transition) {
        match transition {
            Transition::Insert(row) => self.insert(row).await,
            Transition::ReadPage => self.read_page().await,
        }
    }
}

impl ListsTest {
    async fn insert(&self, row: &Row) {
        let Row { id, second, class, figure } = row;
        let class = usize::from(*class);
        let at = format!("timestamptz '2026-01-01' + interval '{second} seconds'");
        let status = ["active", "suspended", "failed"][class];
        let of_tenant = format!("'{}', '{}', {at}, {at}", self.stage.tenant.id, self.stage.tenant.database);
        let sql = match self.reading.list {
            List::Tenants | List::Usage => format!(
                "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
                 VALUES ('{id}', 'Kopi', '{id}', '{status}', '{id}', 'ID', {at}, {at});
                 UPDATE tenant_usage SET agents = {} WHERE tenant_id = '{id}'",
                figure.map_or("NULL".to_owned(), |figure| figure.to_string()),
            ),
            List::Operations => format!(
                "INSERT INTO operations (id, tenant_id, database_name, created_at, updated_at, kind, status, requested_by,
                                         finished_at, next_attempt_at)
                 VALUES ('{id}', {of_tenant}, '{}', '{}', 'test', now(), NULL)",
                if class == 2 { "cleanup" } else { "provision" },
                ["succeeded", "failed", "undoing"][class],
            ),
            List::Audit => format!(
                "INSERT INTO audit (id, at, actor, action) VALUES ('{id}', {at}, 'test', '{}')",
                if class == 2 { "tenant.create" } else { "tenant.update" },
            ),
            List::Impersonations => format!(
                "INSERT INTO impersonations (id, admin_id, tenant_id, user_id, user_email, access, reason, started_at,
                                             expires_at, ended_at, end_reason)
                 VALUES ('{id}', '{}', '{}', '{id}', 'sari@kopi.example', 'read', 'test', {at}, {at} + interval '1 hour',
                         {at}, 'ended')",
                if class == 2 { "another" } else { "a-super-admin" },
                self.stage.tenant.id,
            ),
            List::Users => format!(
                "INSERT INTO users (id, email, full_name, role, created_at, updated_at)
                 VALUES ('{id}', '{id}@kopi.example', 'Budi', '{}', {at}, {at})",
                ["agent", "admin", "supervisor"][class],
            ),
        };
        self.client.batch_execute(&sql).await.unwrap();
    }

    /// The ids of the whole list, as SQL selects them.
    async fn selected(&self) -> Vec<String> {
        let Sql { sort, table, condition, .. } = self.reading.list.sql();
        let direction = if self.reading.descending { "DESC" } else { "ASC" };
        let condition = if self.reading.is_filtered { condition } else { "true" };
        // Tenants without the figure come last, in one order.
        let order =
            format!("{sort} {direction} NULLS LAST, CASE WHEN {sort} IS NOT NULL THEN id END {direction}, id DESC");
        let sql = format!("SELECT id::text FROM {table} WHERE {condition} ORDER BY {order}");
        self.client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn read_page(&mut self) {
        let Some(path) = self.next.take() else { return };
        let selected = self.selected().await;
        let begin = self.read.last().map_or(0, |last| 1 + selected.iter().position(|id| id == last).unwrap());
        let end = selected.len().min(begin + self.reading.limit);
        let page = self.stage.api.get(&path).await;
        assert_eq!(ids(&page), selected[begin..end], "{path}");
        self.next = next(&page);
        assert_eq!(self.next.is_some(), end < selected.len(), "{path}: whether another page follows");
        self.read.extend_from_slice(&selected[begin..end]);
    }
}

fn ids(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    page.json.as_array().unwrap().iter().map(|item| text(&item["id"], &item["tenant_id"])).collect()
}

/// The id of an item, which is called `tenant_id` where the item is about a tenant.
fn text(id: &serde_json::Value, tenant_id: &serde_json::Value) -> String {
    id.as_str().or(tenant_id.as_str()).unwrap().to_owned()
}

/// The path of the page that follows.
fn next(page: &Answer) -> Option<String> {
    let (url, _) = page.header("link").split_once('>')?;
    Some(url.trim_start_matches('<').trim_start_matches("/api/super-admin").to_owned())
}
