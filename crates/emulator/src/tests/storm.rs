//! Ten thousand requests nobody sane would send, over the whole API: nothing breaks and no call is left behind.
//!
//! Each is a valid request of the catalogue, then spoiled: another method, a wrong or old id, a member dropped, repeated,
//! of the wrong kind, huge or nested. The seed is fixed, so a failure comes back.

use antiphon_graph::permission::rows;

use super::catalogue::{EVERYTHING, Situation, Stage, stage};
use super::*;

const REQUESTS: usize = 10_000;
/// A fresh set of calls after so many, because the requests end them.
const PER_ROUND: usize = 250;

/// SplitMix64: small, seeded, good enough to spoil requests.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A value out of place.
fn odd_value(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => json!(null),
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1.5e300),
        4 => json!(true),
        5 => json!("x".repeat(dice.below(4000))),
        6 => json!([]),
        7 => json!({}),
        8 => json!("#microsoft.graph.call"),
        9 => json!({ "@odata.type": "#microsoft.graph.nothing", "a": [null, [], {}] }),
        10 => (0..dice.below(100)).fold(json!(1), |inner, _| json!([inner])),
        _ => json!("\u{0}\u{202e}%00../.."),
    }
}

/// Spoils a value somewhere inside.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let stop = dice.one_in(3);
    match value {
        Value::Object(members) if !stop && !members.is_empty() => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = dice.pick(&keys).clone();
            match dice.below(4) {
                0 => drop(members.remove(&key)),
                1 => drop(members.insert(key.to_uppercase(), odd_value(dice))),
                _ => spoil(members.get_mut(&key).unwrap(), dice),
            }
        }
        Value::Array(items) if !stop && !items.is_empty() => match dice.below(3) {
            0 => {
                let repeated = vec![items[0].clone(); dice.below(300)];
                items.extend(repeated);
            }
            1 => items.clear(),
            _ => {
                let index = dice.below(items.len());
                spoil(&mut items[index], dice);
            }
        },
        _ => *value = odd_value(dice),
    }
}

fn spoil_path(path: &str, dice: &mut Dice) -> String {
    let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    let index = dice.below(segments.len());
    match dice.below(6) {
        0 => segments[index] = "00000000-0000-0000-0000-000000000000".to_owned(),
        1 => segments[index] = "%00%ff%2F..".to_owned(),
        2 => drop(segments.remove(index)),
        3 => segments.push("microsoft.graph.answer".to_owned()),
        4 => segments[index] = segments[index].to_uppercase(),
        _ => segments.insert(index, "z".repeat(dice.below(2000))),
    }
    let path = segments.join("/");
    if path.starts_with('/') { path } else { format!("/{path}") }
}

async fn rounds(rig: &Rig, bot: &Bot<'_>) -> Vec<Stage> {
    let mut stages = Vec::new();
    for situation in [
        Situation::Nowhere,
        Situation::Meeting,
        Situation::ServiceHosted,
        Situation::Alone,
        Situation::Announced,
        Situation::Recording,
    ] {
        stages.push(stage(rig, bot, situation).await);
    }
    stages
}

/// Ends the calls of a round; deleting one may end another that it talked to.
async fn clear(rig: &Rig, bot: &Bot<'_>) {
    for call in rig.service.call_views() {
        let answer = bot.delete(&format!("/v1.0/communications/calls/{}", call.call_id.as_str())).await;
        assert!(matches!(answer.status.as_u16(), 204 | 404), "{}", answer.body);
    }
    for meeting in rig.service.meeting_views() {
        rig.service.end_meeting(&meeting.id).unwrap();
    }
}

#[tokio::test]
async fn ten_thousand_spoiled_requests_break_nothing_and_leave_no_call_behind() {
    // Hours pass between the requests.
    let rig = Rig::with(|config| config.limits.token_lifetime = Duration::from_secs(30 * 86_400)).await;
    rig.webhook.forget();
    let bot = rig.bot(EVERYTHING).await;
    // Nobody listens there: what is under test is the API, and refused deliveries are part of it.
    rig.service.directory().set_webhook(&bot.app.app_id, Some("http://127.0.0.1:9/gone".to_owned())).unwrap();
    let mut dice = Dice(0x00a7_1f03);
    let mut stages = Vec::new();
    let mut by_status = std::collections::BTreeMap::<u16, usize>::new();
    for n in 0..REQUESTS {
        if n % PER_ROUND == 0 {
            if n % (4 * PER_ROUND) == 0 {
                clear(&rig, &bot).await;
            }
            stages = rounds(&rig, &bot).await;
        }
        let row = dice.pick(rows());
        let below = row.path.trim_start_matches("/communications").trim_start_matches("/app");
        let wanted = if dice.one_in(5) { Situation::Meeting } else { Situation::of(below) };
        let stage = &stages[[
            Situation::Nowhere,
            Situation::Meeting,
            Situation::ServiceHosted,
            Situation::Alone,
            Situation::Announced,
            Situation::Recording,
        ]
        .iter()
        .position(|situation| *situation == wanted)
        .unwrap()];
        let mut path = row.path.replace(below, &stage.path(below));
        if dice.one_in(8) {
            path = spoil_path(&path, &mut dice);
        }
        let version = if dice.one_in(4) { "v1.0" } else { row.version.as_str() };
        let methods = [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::PUT, Method::HEAD];
        let method = if dice.one_in(10) {
            dice.pick(&methods).clone()
        } else {
            Method::from_bytes(row.method.as_bytes()).unwrap()
        };
        let mut body = stage.body(row.method, below, "https://127.0.0.1:9/gone");
        if let Some(body) = &mut body {
            for _ in 0..dice.below(3) {
                spoil(body, &mut dice);
            }
        }
        let uri = format!("/{version}{path}");
        let text = match body {
            Some(_) if dice.one_in(25) => "{\"a\":".to_owned(),
            // Now and then the application calls itself.
            Some(body) if dice.one_in(6) => {
                let user = json!({ "user": { "id": stage.user.id } }).to_string();
                body.to_string().replace(&user, &json!({ "application": { "id": bot.app.app_id } }).to_string())
            }
            Some(body) => body.to_string(),
            None => String::new(),
        };
        let request = Request::builder()
            .method(&method)
            .uri(&uri)
            .header(HOST, "localhost:8443")
            .header(AUTHORIZATION, format!("Bearer {}", bot.token))
            .header(CONTENT_TYPE, if dice.one_in(40) { "text/plain" } else { "application/json" })
            .header("user-agent", "storm")
            .body(Body::from(text.clone()));
        let Ok(request) = request else { continue };
        let answer = rig.send(local(request)).await;
        let status = answer.status.as_u16();
        *by_status.entry(status).or_default() += 1;
        assert!(status < 500 || status == 501, "{method} {uri} {text}: {status} {}", answer.body);
        if status >= 400 && method != Method::HEAD {
            assert!(answer.body["error"]["code"].is_string(), "{method} {uri}: {status} {}", answer.body);
        }
        if dice.one_in(20) {
            rig.pass(Duration::from_secs(u64::try_from(dice.below(20)).unwrap())).await;
        }
    }
    // What the last requests left ends by itself: nobody deletes it.
    rig.pass(Duration::from_secs(46 * 60)).await;
    assert!(rig.service.call_views().is_empty(), "{:?}", rig.service.call_views());
    clear(&rig, &bot).await;
    assert!(rig.service.ring_views().is_empty());
    assert!(rig.service.conversation_views().is_empty(), "{:?}", rig.service.conversation_views());
    println!("{REQUESTS} requests, by status: {by_status:?}");
    assert!(by_status.get(&200).is_some_and(|count| *count > 100), "the valid ones must get through: {by_status:?}");
}
