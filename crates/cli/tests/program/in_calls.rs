//! Graph commands in calls with people: placed, received, and every action on them.
//!
//! Notifications of the calls go to a real webhook, and tell a test when to go on.

use antiphon_emulator::{Answering, AnsweringAction, NewMeeting, NewPerson, NewSharing, NewUser, NewUserCall, User};
use serde_json::{Value, json};

use crate::stage::{Run, Stage, argument};
use crate::webhook::{Certificate, Server};

/// A stage, its webhook, and two people who answer at once.
struct House {
    stage: Stage,
    webhook: Server,
    ada: User,
    bob: User,
}

impl House {
    async fn start() -> Self {
        let webhook = Server::start(&Certificate::default(), "202 Accepted").await;
        let stage = Stage::with_webhook(&webhook.ca_pem).await;
        stage.emulator.set_webhook(&stage.app.app_id, Some(webhook.url())).expect("the app");
        let user = |name: &str| {
            let answering = Answering::at_once(AnsweringAction::Answer);
            let new = NewUser { display_name: name.to_owned(), answering, ..NewUser::default() };
            stage.emulator.add_user(new).expect("a user")
        };
        let (ada, bob) = (user("Ada"), user("Bob"));
        Self { stage, webhook, ada, bob }
    }

    async fn run(&self, words: &[&str]) -> Run {
        self.stage.run(words).await
    }

    /// Places a call and waits until it is established.
    async fn call(&mut self, words: &[&str]) -> String {
        let url = self.webhook.url();
        let new: Vec<&str> = ["call", "new", "--callback-uri", &url].iter().chain(words).copied().collect();
        let call = self.run(&new).await.json()["id"].as_str().expect("an id").to_owned();
        self.webhook.heard(Some(&call), "established").await;
        call
    }

    /// A user calls the bot; the id of the incoming call.
    async fn called_by(&mut self, user: &str) -> String {
        let call = json!({ "appId": self.stage.app.app_id });
        let call: NewUserCall = serde_json::from_value(call).expect("what an administrator would post");
        self.stage.emulator.call_app(user, call).expect("a call");
        self.webhook.heard(None, "incoming").await["id"].as_str().expect("an id").to_owned()
    }
}

/// The operation that a run printed, of this kind.
#[track_caller]
fn operation(run: &Run, kind: &str) -> Value {
    let operation = run.json();
    assert_eq!(operation["@odata.type"], format!("#microsoft.graph.{kind}"), "{operation}");
    operation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incoming_calls_are_answered_rejected_and_redirected() {
    let mut house = House::start().await;
    let (ada, bob) = (house.ada.id.clone(), house.bob.id.clone());

    let answered = house.called_by(&ada).await;
    house.run(&["call", "answer", &answered]).await.silent();
    house.webhook.heard(Some(&answered), "established").await;
    house.run(&["call", "answer", &answered]).await.fails(&["409"]);
    house.run(&["call", "remove", &answered]).await.silent();

    let rejected = house.called_by(&ada).await;
    house.run(&["call", "reject", &rejected, "--reason", "busy"]).await.silent();
    house.run(&["call", "get", &rejected]).await.fails(&["8522"]);

    let redirected = house.called_by(&ada).await;
    house.run(&["call", "redirect", &redirected, "--to", &bob, "--timeout", "20"]).await.silent();
    house.webhook.heard(Some(&redirected), "terminated").await;
    house.stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_transferred_to_somebody_else() {
    let mut house = House::start().await;
    let (ada, bob) = (house.ada.id.clone(), house.bob.id.clone());
    let call = house.call(&["--to", &ada]).await;
    house.run(&["call", "transfer", &call, "--to", &bob]).await.silent();
    house.webhook.heard(Some(&call), "transferAccepted").await;
    house.webhook.heard(Some(&call), "terminated").await;
    house.stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn participants_are_invited_muted_held_reported_and_removed() {
    let mut house = House::start().await;
    let meeting = house.stage.emulator.create_meeting(NewMeeting::default()).expect("a meeting");
    let cleo = NewPerson { display_name: Some("Cleo".to_owned()), ..NewPerson::default() };
    let cleo = house.stage.emulator.join_person(&meeting.id, cleo).expect("Cleo").participant_id.to_string();
    let ada = house.ada.id.clone();
    let passcode = meeting.passcode.clone().expect("a passcode");
    let call = house.call(&["--meeting-id", &meeting.join_meeting_id, "--passcode", &passcode]).await;

    let invited = house.run(&["participant", "invite", &call, "--to", &ada, "--client-context", "party"]).await.json();
    assert_eq!(invited["@odata.type"], "#microsoft.graph.inviteParticipantsOperation");
    assert_eq!(invited["clientContext"], "party");
    operation(&house.run(&["participant", "mute", &call, &cleo]).await, "muteParticipantOperation");
    operation(&house.run(&["participant", "mute-all", &call, &cleo]).await, "muteParticipantsOperation");
    let begun =
        operation(&house.run(&["participant", "start-hold-music", &call, &cleo]).await, "startHoldMusicOperation");
    house.webhook.ended(&begun).await;
    operation(&house.run(&["participant", "stop-hold-music", &call, &cleo]).await, "stopHoldMusicOperation");
    let levels = json!({ "participantMixerLevels": [{
        "@odata.type": "#microsoft.graph.participantMixerLevel", "participant": cleo,
        "sourceLevels": [{ "@odata.type": "#microsoft.graph.audioSourceLevel", "participant": cleo, "level": 50 }],
    }]});
    let levels = house.stage.file("levels.json", levels.to_string());
    operation(
        &house.run(&["participant", "configure-mixer", &call, "--body", argument(&levels)]).await,
        "commsOperation",
    );
    let report = ["participant", "report-synthetic-media", &call, &cleo, "--malicious", "--confidence", "0.9"];
    house.run(&report).await.silent();
    house.run(&["participant", "remove", &call, &cleo]).await.silent();
    house.run(&["participant", "get", &call, &cleo]).await.fails(&["404"]);
    house.stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shared_is_listed_and_its_slide_saved() {
    let mut house = House::start().await;
    let meeting = house.stage.emulator.create_meeting(NewMeeting::default()).expect("a meeting");
    let cleo = NewPerson { display_name: Some("Cleo".to_owned()), ..NewPerson::default() };
    let cleo = house.stage.emulator.join_person(&meeting.id, cleo).expect("Cleo").participant_id;
    let passcode = meeting.passcode.clone().expect("a passcode");
    let call = house.call(&["--meeting-id", &meeting.join_meeting_id, "--passcode", &passcode]).await;
    let session = house.stage.emulator.share(&meeting.id, &cleo, NewSharing::default()).expect("shared");

    let listed = house.run(&["content-sharing-session", "list", &call]).await.json();
    assert_eq!(listed["value"][0]["id"], session);
    assert_eq!(house.run(&["content-sharing-session", "get", &call, &session]).await.json()["id"], session);
    let slide = house.stage.file("slide.png", "");
    house.run(&["content-sharing-session", "slide", &call, &session, "--out", argument(&slide)]).await.silent();
    assert!(std::fs::read(&slide).expect("a file").starts_with(b"\x89PNG"));
    house.stage.emulator.stop().await;
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_acts_on_its_own_leg_of_a_meeting() {
    let mut house = House::start().await;
    let meeting = house.stage.emulator.create_meeting(NewMeeting::default()).expect("a meeting");
    let passcode = meeting.passcode.clone().expect("a passcode");
    let call = house.call(&["--meeting-id", &meeting.join_meeting_id, "--passcode", &passcode]).await;
    operation(&house.run(&["call", "mute", &call, "--client-context", "x"]).await, "muteParticipantOperation");
    operation(&house.run(&["call", "unmute", &call]).await, "unmuteParticipantOperation");
    operation(&house.run(&["call", "add-large-gallery-view", &call]).await, "addLargeGalleryViewOperation");
    let begun = operation(&house.run(&["call", "start-recording", &call]).await, "startRecordingOperation");
    house.webhook.ended(&begun).await;
    operation(&house.run(&["call", "stop-recording", &call]).await, "stopRecordingOperation");
    let language = ["call", "start-transcription", &call, "--language", "en-us"];
    let begun = operation(&house.run(&language).await, "startTranscriptionOperation");
    house.webhook.ended(&begun).await;
    operation(&house.run(&["call", "stop-transcription", &call]).await, "stopTranscriptionOperation");
    // What this call is not made for is refused by name.
    house.run(&["call", "update-recording-status", &call, "--status", "recording"]).await.fails(&["403", "8506"]);
    house.run(&["call", "change-screen-sharing-role", &call, "--role", "sharer"]).await.fails(&["400"]);
    let quality = json!({ "quality": {
        "@odata.type": "#microsoft.graph.teleconferenceDeviceQuality", "callChainId": uuid::Uuid::new_v4(),
        "participantId": uuid::Uuid::new_v4(), "mediaLegId": uuid::Uuid::new_v4(), "deviceName": "Room 1",
        "deviceDescription": "A room", "mediaQualityList": [],
    }});
    let quality = house.stage.file("quality.json", quality.to_string());
    house.run(&["call", "log-device-quality", "--body", argument(&quality)]).await.silent();
    house.stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_plays_records_and_dials_for_a_bot() {
    let mut house = House::start().await;
    let ada = house.ada.id.clone();
    let call = house.call(&["--to", &ada]).await;
    let wav = "https://bot.example.com/hello.wav";
    let playing = operation(&house.run(&["call", "play-prompt", &call, "--uri", wav]).await, "playPromptOperation");
    assert_eq!(
        house.run(&["operation", "get", &call, playing["id"].as_str().expect("an id")]).await.json()["id"],
        playing["id"]
    );
    let listed = house.run(&["operation", "list", &call]).await.json();
    assert!(listed["value"].as_array().is_some_and(|list| !list.is_empty()), "{listed}");
    operation(
        &house.run(&["call", "record-response", &call, "--no-beep", "--stop-tone", "#"]).await,
        "recordOperation",
    );
    operation(&house.run(&["call", "record", &call]).await, "recordOperation");
    operation(&house.run(&["call", "cancel-media-processing", &call]).await, "cancelMediaProcessingOperation");
    operation(&house.run(&["call", "subscribe-to-tone", &call]).await, "subscribeToToneOperation");
    operation(&house.run(&["call", "send-dtmf-tones", &call, "--tones", "12#"]).await, "sendDtmfTonesOperation");
    house.stage.emulator.stop().await;
}
