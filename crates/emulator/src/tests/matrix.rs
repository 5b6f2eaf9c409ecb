//! The permission matrix, row by row: who passes, who is refused, and when.

use antiphon_graph::permission::{Enforcement, Permission, Row, rows};

use super::catalogue::{EVERYTHING, Situation, Stage, stage, stage_for};
use super::*;

/// Paths below the family.
fn below(row: &Row) -> &str {
    row.path.trim_start_matches("/communications").trim_start_matches("/app")
}

/// Rows of endpoints that exist; the others are known to the matrix alone and answer 501.
fn offered() -> impl Iterator<Item = &'static Row> {
    rows().iter().filter(|row| crate::api::is_offered(row.method, below(row)))
}

impl Rig {
    /// The bot after an administrator has taken back everything but these permissions.
    async fn reduce(&self, bot: &mut Bot<'_>, permissions: &[Permission]) {
        let names = permissions.iter().map(|permission| permission.name().to_owned()).collect();
        let consent = Consent { permissions: Some(names), ..Consent::default() };
        self.service.directory().consent(&bot.app.app_id, consent).unwrap();
        bot.token = self.token_for(&bot.app, &bot.app.tenant_id).await;
    }

    async fn all_powerful(&self) -> Bot<'_> {
        let bot = self.bot(EVERYTHING).await;
        self.service.directory().set_webhook(&bot.app.app_id, Some(self.webhook.url().to_owned())).unwrap();
        bot
    }
}

/// Sends the row's request in its valid scenario for a permission.
async fn ask(bot: &Bot<'_>, row: &Row, stage: &Stage, by: Option<Permission>) -> Answer {
    let callback = bot.rig.webhook.url();
    let path = format!("/{}{}", row.version.as_str(), row.path.replace(below(row), &stage.path(below(row))));
    let mut body = stage.body(row.method, below(row), callback);
    if below(row) == "/calls" {
        match by {
            Some(Permission::Initiate) => body = Some(stage.call_people(callback, 1)),
            Some(Permission::InitiateGroupCall) => body = Some(stage.call_people(callback, 2)),
            _ => {}
        }
    }
    let method = Method::from_bytes(row.method.as_bytes()).unwrap();
    bot.request(method, &path, body.as_ref()).await
}

#[tokio::test]
async fn each_role_of_a_row_passes_and_all_the_others_together_do_not() {
    let mut checked = 0;
    for row in offered().filter(|row| row.enforcement == Enforcement::Request) {
        let rig = Rig::start().await;
        for role in row.sufficient() {
            let mut bot = rig.all_powerful().await;
            let stage = stage_for(&rig, &bot, below(row)).await;
            rig.reduce(&mut bot, &[*role]).await;
            let answer = ask(&bot, row, &stage, Some(*role)).await;
            assert!(answer.status.is_success(), "{row:?} with {role:?}: {} {}", answer.status, answer.body);
            checked += 1;
        }
        let mut bot = rig.all_powerful().await;
        let stage = stage_for(&rig, &bot, below(row)).await;
        let others: Vec<Permission> = EVERYTHING
            .iter()
            .filter_map(|name| Permission::parse(name))
            .filter(|permission| !row.sufficient().contains(permission))
            .collect();
        rig.reduce(&mut bot, &others).await;
        let refused = ask(&bot, row, &stage, None).await;
        let message = refused.expect_error(403, "7504");
        for role in row.sufficient().iter().filter(|_| below(row) != "/calls") {
            assert!(message.contains(role.name()), "{row:?}: {message}");
        }
    }
    assert!(checked > 100, "only {checked} role checks were made");
    println!("{checked} roles pass where the matrix lists them");
}

#[tokio::test]
async fn rows_checked_at_creation_or_never_ask_for_no_role_but_for_the_owner() {
    let mut checked = 0;
    for row in offered().filter(|row| row.enforcement != Enforcement::Request) {
        let rig = Rig::start().await;
        let mut bot = rig.all_powerful().await;
        let stage = stage_for(&rig, &bot, below(row)).await;
        let stranger = rig.all_powerful().await;
        ask(&stranger, row, &stage, None).await.expect_error(404, "8522");
        rig.reduce(&mut bot, &[]).await;
        let answer = ask(&bot, row, &stage, None).await;
        assert!(answer.status.is_success(), "{row:?}: {} {}", answer.status, answer.body);
        checked += 1;
    }
    assert!(checked > 30, "only {checked} rows were checked");
    println!("{checked} rows ask for ownership alone");
}

#[tokio::test]
async fn what_only_the_matrix_knows_is_not_implemented() {
    let rig = Rig::start().await;
    let bot = rig.all_powerful().await;
    let stage = stage(&rig, &bot, Situation::Meeting).await;
    let mut checked = 0;
    for row in rows().iter().filter(|row| !crate::api::is_offered(row.method, below(row))) {
        ask(&bot, row, &stage, None).await.expect_error(501, "notImplemented");
        checked += 1;
    }
    assert!(checked >= 14, "{checked}");
}
