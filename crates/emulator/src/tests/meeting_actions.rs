//! A meeting's own recording and transcription, and the list of operations.

use antiphon_graph::model::{Strictness, check};
use antiphon_graph::wire::Version;

use super::own_leg::{operation, summary};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Path of a call in beta.
fn beta(call: &Value) -> String {
    path_of(call).replace("v1.0", "beta")
}

#[tokio::test]
async fn recording_of_a_meeting_starts_once_and_stops_once() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.told(3).await;
    let (start, stop) =
        (format!("{}/microsoft.graph.StartRecording", beta(&call)), format!("{}/stopRecording", beta(&call)));
    bot.post(&stop, json!({})).await.expect_error(409, "invalidRequest");
    let begun =
        operation(bot.post(&start, json!({ "clientContext": "r" })).await, 202, "startRecordingOperation", &call);
    assert_eq!((&begun["status"], &begun["clientContext"]), (&json!("Running"), &json!("r")));
    bot.post(&start, json!({})).await.expect_error(409, "invalidRequest");
    rig.pass(SECOND).await;
    assert_eq!(rig.told(1).await, ["startRecordingOperation Completed"]);
    bot.post(&start, json!({})).await.expect_error(409, "invalidRequest");
    let stopped = operation(bot.request(Method::POST, &stop, None).await, 202, "stopRecordingOperation", &call);
    assert_eq!(stopped["status"], "Completed");
    bot.post(&stop, json!({})).await.expect_error(409, "invalidRequest");
    bot.post(&start, json!({})).await.expect(202);
    bot.post(&format!("{}/startRecording", path_of(&call)), json!({})).await.expect_error(404, "ResourceNotFound");
}

#[tokio::test]
async fn group_call_has_no_recording_of_its_own() {
    let rig = Rig::start().await;
    let bot = rig.bot(&["Calls.InitiateGroupCall.All", "Calls.AccessMedia.All", "Calls.JoinGroupCall.All"]).await;
    let answers = || Answering::at_once(crate::entra::AnsweringAction::Answer);
    let (pia, tom) = (rig.user("Pia", answers()), rig.user("Tom", answers()));
    let call = bot.call(&[&pia, &tom]).await;
    rig.settle().await;
    for action in ["startRecording", "stopRecording"] {
        let message =
            bot.post(&format!("{}/{action}", beta(&call)), json!({})).await.expect_error(400, "invalidRequest");
        assert!(message.contains("meeting"), "{message}");
    }
}

#[tokio::test]
async fn recording_that_could_not_start_can_be_started_again() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.person(&meeting, "Ann");
    let first = bot.join(&meeting).await;
    let second = bot.join(&meeting).await;
    bot.post(&format!("{}/startRecording", beta(&first)), json!({})).await.expect(202);
    let start = format!("{}/startRecording", beta(&second));
    bot.post(&start, json!({})).await.expect_error(409, "invalidRequest");
    bot.delete(&path_of(&first)).await.expect(204);
    bot.post(&start, json!({})).await.expect(202);
}

#[tokio::test]
async fn transcription_is_told_to_every_bot_after_its_operation_and_to_newcomers() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.told(3).await;
    let body = json!({ "language": "en-us", "clientContext": "t" });
    let (start, stop) = (format!("{}/startTranscription", beta(&call)), format!("{}/stopTranscription", beta(&call)));
    bot.post(&stop, body.clone()).await.expect_error(409, "invalidRequest");
    let begun = operation(bot.post(&start, body.clone()).await, 202, "startTranscriptionOperation", &call);
    assert_eq!((&begun["status"], &begun["clientContext"]), (&json!("Running"), &json!("t")));
    bot.post(&start, body.clone()).await.expect_error(409, "invalidRequest");
    assert_eq!(bot.get(&path_of(&call)).await.expect(200).get("transcription"), None);
    rig.pass(SECOND).await;
    assert_eq!(rig.told(1).await, ["startTranscriptionOperation Completed"]);
    let posted = rig.webhook.next().await;
    assert_eq!(posted.summary(), "updated established");
    let change = &posted.notification()["resourceData"];
    assert_eq!(change["transcription"]["state"], "active");
    let faults = check(Version::V1, "call", Strictness::Partial, change);
    assert!(faults.is_empty(), "{faults:?}");
    let shown = bot.get(&path_of(&call)).await.expect(200)["transcription"].clone();
    assert_eq!(shown, change["transcription"]);
    let wall = rig.service.clock.wall().to_string();
    assert_eq!(shown["lastModifiedDateTime"], wall);

    let second = bot.join(&meeting).await;
    let newcomer = async || {
        loop {
            let posted = rig.webhook.next().await;
            let change = posted.notification()["resourceData"].clone();
            if change["id"] == second["id"] && change["transcription"].is_object() {
                return change["transcription"]["state"].clone();
            }
        }
    };
    assert_eq!(newcomer().await, "active");
    let stopping = operation(bot.post(&stop, body).await, 202, "stopTranscriptionOperation", &call);
    assert_eq!(stopping["status"], "Running");
    rig.pass(SECOND).await;
    assert_eq!(newcomer().await, "inactive", "every bot of the meeting is told");
    assert_eq!(bot.get(&path_of(&second)).await.expect(200)["transcription"]["state"], "inactive");
    bot.post(&format!("{}/startTranscription", path_of(&call)), json!({})).await.expect_error(404, "ResourceNotFound");
}

#[tokio::test]
async fn language_that_is_no_language_tag_is_refused() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let start = format!("{}/startTranscription", beta(&call));
    for language in [json!(""), json!("e"), json!("en us"), json!("en-"), json!(7), json!("12-en")] {
        let answer = bot.post(&start, json!({ "language": language })).await;
        assert_eq!(answer.body["error"]["target"], "language");
        answer.expect_error(400, "invalidRequest");
    }
    bot.post(&start, json!({ "language": "zh-Hant-TW" })).await.expect(202);
}

#[tokio::test]
async fn operations_are_listed_while_they_run_and_final_ones_stay_readable() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.told(3).await;
    let list = format!("{}/operations", path_of(&call));
    let empty = bot.get(&list).await.expect(200);
    assert_eq!(empty["value"], json!([]));
    let id = call["id"].as_str().unwrap();
    let context = format!("https://localhost:8443/v1.0/$metadata#communications/calls('{id}')/operations");
    assert_eq!(empty["@odata.context"], context);

    let muted = bot.post(&format!("{}/mute", path_of(&call)), json!({})).await.expect(200);
    let recording = bot.post(&format!("{}/startRecording", beta(&call)), json!({})).await.expect(202);
    let page = bot.get(&list).await.expect(200);
    assert_eq!(page["value"][0]["id"], muted["id"]);
    assert_eq!(page["value"][1]["id"], recording["id"]);
    assert_eq!(page["value"][1]["@odata.type"], "#microsoft.graph.commsOperation", "v1.0 has no other type for it");
    for operation in page["value"].as_array().unwrap() {
        let faults = check(Version::V1, "commsOperation", Strictness::Reply, operation);
        assert!(faults.is_empty(), "{faults:?}");
    }
    let page = bot.get(&format!("{}/operations", beta(&call).replace("communications", "app"))).await.expect(200);
    assert_eq!(page["value"][1]["@odata.type"], "#microsoft.graph.startRecordingOperation");

    let bare = muted["id"].as_str().unwrap().replace('-', "").to_uppercase();
    let one = bot.get(&format!("{list}/{bare}")).await.expect(200);
    assert_eq!((&one["id"], &one["status"]), (&muted["id"], &json!("Completed")));
    rig.pass(SECOND).await;
    let told: Vec<_> = [rig.webhook.next().await, rig.webhook.next().await].iter().map(summary).collect();
    assert_eq!(told, ["roster", "startRecordingOperation Completed"]);
    bot.get(&format!("{list}/{}", recording["id"].as_str().unwrap())).await.expect_error(404, "itemNotFound");
    bot.get(&format!("{list}/{}", muted["id"].as_str().unwrap())).await.expect(200);
    bot.delete(&path_of(&call)).await.expect(204);
    bot.get(&list).await.expect_error(404, "8522");
}
