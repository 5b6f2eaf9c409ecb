//! Every endpoint with a situation in which it makes sense and a body that is valid in it.
//!
//! What the permission test and the fuzz test have in common. Paths are the permission matrix's, below the family.

use super::*;
use crate::entra::AnsweringAction;
use crate::operations::{NewSharing, NewUserCall};

/// Every permission of the calling API.
pub(super) const EVERYTHING: &[&str] = &[
    "Calls.JoinGroupCalls.Chat",
    "Calls.JoinGroupCallAsGuest.All",
    "Calls.JoinGroupCall.All",
    "Calls.Initiate.All",
    "Calls.InitiateGroupCall.All",
    "Calls.AccessMedia.All",
    "Calls.AccessMedia.Chat",
    "Calls.ReportSyntheticMedia.All",
];

/// Where a call must be for an endpoint to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Situation {
    /// No call is needed.
    Nowhere,
    /// In a meeting with a person who shares, with a routing group and an operation.
    Meeting,
    /// In a meeting, the media with the service.
    ServiceHosted,
    /// In a peer-to-peer call.
    Alone,
    /// Invited into a meeting, unanswered.
    Announced,
    /// Answered to record a person.
    Recording,
}

impl Situation {
    pub(super) fn of(path: &str) -> Self {
        match path.strip_prefix("/calls/{id}").unwrap_or(path) {
            "/calls" | "/calls/logTeleconferenceDeviceQuality" => Self::Nowhere,
            "/answer" | "/reject" | "/redirect" => Self::Announced,
            "/transfer" => Self::Alone,
            "/updateRecordingStatus" => Self::Recording,
            "/playPrompt" | "/recordResponse" | "/record" | "/cancelMediaProcessing" | "/subscribeToTone" => {
                Self::ServiceHosted
            }
            _ => Self::Meeting,
        }
    }
}

/// A call in a situation, and what is around it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) call: String,
    pub(super) person: String,
    /// The bot's own participant, in a meeting.
    pub(super) me: String,
    pub(super) group: String,
    pub(super) operation: String,
    pub(super) session: String,
    pub(super) user: User,
    pub(super) meeting: MeetingView,
}

pub(super) fn service_hosted() -> Value {
    json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": [] })
}

/// Brings a bot, which needs every permission for it, into a situation.
pub(super) async fn stage(rig: &Rig, bot: &Bot<'_>, situation: Situation) -> Stage {
    let user = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let meeting = rig.meeting();
    let person = NewPerson {
        user_id: Some(user.id.clone()),
        offer: Some(SessionDescription { kind: antiphon_graph::blob::SdpType::Offer, sdp: "offer of Pia".to_owned() }),
        ..NewPerson::default()
    };
    let person = rig.service.join_person(&meeting.id, person).unwrap().participant_id;
    let mut stage = Stage {
        call: String::new(),
        person: person.as_str().to_owned(),
        me: String::new(),
        group: "multicast".to_owned(),
        operation: String::new(),
        session: String::new(),
        user: user.clone(),
        meeting: meeting.clone(),
    };
    let id = |call: &Value| call["id"].as_str().unwrap().to_owned();
    match situation {
        Situation::Nowhere => {}
        Situation::Meeting => {
            let call = bot.join(&meeting).await;
            let group = json!({
                "id": "multicast", "routingMode": "multicast",
                "sources": [call["myParticipantId"]], "receivers": [stage.person],
            });
            bot.post(&format!("{}/audioRoutingGroups", path_of(&call)), group).await.expect(200);
            let muted = bot.post(&format!("{}/mute", path_of(&call)), json!({})).await.expect(200);
            stage.operation = id(&muted);
            stage.session = rig.service.share(&meeting.id, &person, NewSharing::default()).unwrap();
            stage.call = id(&call);
            stage.me = call["myParticipantId"].as_str().unwrap().to_owned();
        }
        Situation::ServiceHosted => {
            let mut body = bot.join_body(&meeting);
            body["mediaConfig"] = service_hosted();
            stage.call = id(&bot.post("/v1.0/communications/calls", body).await.expect(201));
        }
        Situation::Alone => {
            stage.call = id(&bot.call(&[&user]).await);
            rig.settle().await;
        }
        Situation::Announced | Situation::Recording => {
            let recording = situation == Situation::Recording;
            let new = NewUserCall {
                app_id: bot.app.app_id.clone(),
                meeting_id: Some(meeting.id.clone()),
                offer: None,
                modalities: Vec::new(),
                policy_recording: recording,
            };
            stage.call = rig.service.call_app(&user.id, new).unwrap().call_id.as_str().to_owned();
            if recording {
                let body = json!({ "acceptedModalities": ["audio"], "mediaConfig": service_hosted() });
                bot.post(&format!("/v1.0/communications/calls/{}/answer", stage.call), body).await.expect(202);
            }
        }
    }
    stage
}

/// As [`stage`], for a path below the family; what it stops has been started.
pub(super) async fn stage_for(rig: &Rig, bot: &Bot<'_>, path: &str) -> Stage {
    let stage = stage(rig, bot, Situation::of(path)).await;
    if path.contains("/stop") {
        let start = stage.path(path).replace("/stop", "/start");
        bot.post(&format!("/beta/communications{start}"), json!({})).await.expect(202);
        rig.pass(Duration::from_secs(1)).await;
    }
    stage
}

impl Stage {
    /// The path with its ids, below the family.
    pub(super) fn path(&self, path: &str) -> String {
        let Some(below) = path.strip_prefix("/calls/{id}") else {
            return path.to_owned();
        };
        let item = match below.split('/').nth(1).unwrap_or_default() {
            "participants" => &self.person,
            "audioRoutingGroups" => &self.group,
            "operations" => &self.operation,
            _ => &self.session,
        };
        format!("/calls/{}{}", self.call, below.replace("{id}", item))
    }

    /// A body that is valid for the endpoint; `None` for those that take none.
    pub(super) fn body(&self, method: &str, path: &str, callback: &str) -> Option<Value> {
        if matches!(method, "GET" | "DELETE") {
            return None;
        }
        let target = json!({ "identity": { "user": { "id": self.user.id } } });
        let prompt = json!({
            "@odata.type": "#microsoft.graph.mediaPrompt",
            "mediaInfo": { "uri": "https://cdn.contoso.com/beep.wav", "resourceId": "1D6DE2D4-CD51-4309-8DAA-70768651088E" },
        });
        Some(match path.strip_prefix("/calls/{id}").unwrap_or(path) {
            "/calls" => self.join_body(callback),
            "/answer" => json!({
                "callbackUri": callback, "acceptedModalities": ["audio"], "mediaConfig": service_hosted(),
                "callOptions": { "@odata.type": "#microsoft.graph.incomingCallOptions", "isDeltaRosterEnabled": true },
            }),
            "/reject" => json!({ "reason": "busy" }),
            "/redirect" => json!({ "targets": [target], "timeout": 20, "callbackUri": callback }),
            "/transfer" => json!({ "transferTarget": target }),
            "/changeScreenSharingRole" => json!({ "role": "sharer" }),
            "/updateRecordingStatus" => json!({ "status": "recording", "clientContext": "c" }),
            "/playPrompt" => json!({ "prompts": [prompt], "clientContext": "c" }),
            "/recordResponse" | "/record" => json!({
                "prompts": [prompt], "bargeInAllowed": true, "maxRecordDurationInSeconds": 10,
                "initialSilenceTimeoutInSeconds": 5, "maxSilenceTimeoutInSeconds": 2, "playBeep": true,
                "stopTones": ["#", "1", "*"], "clientContext": "c",
            }),
            "/sendDtmfTones" => json!({ "tones": ["tone1", "star"], "delayBetweenTonesMs": 100 }),
            "/participants/invite" => json!({ "participants": [target], "clientContext": "c" }),
            "/participants/muteAll" => json!({ "participants": [self.person] }),
            "/participants/configureMixer" => json!({ "participantMixerLevels": [{
                "participant": self.person, "exclusive": false,
                "sourceLevels": [{ "participant": self.person, "level": 50, "duckOthers": false }],
            }] }),
            "/participants/{id}/startHoldMusic" => json!({ "customPrompt": prompt }),
            "/participants/{id}/reportSyntheticMedia" => json!({
                "id": "8f3d7f0a-4f7b-4a9e-9b0c-2a1d3e4f5a6b", "detectionDateTime": "2026-08-07T10:00:00Z",
                "isMalicious": false, "overallConfidence": 0.5, "severity": "low", "detections": [],
            }),
            "/audioRoutingGroups" => json!({
                "id": "second", "routingMode": "multicast", "sources": [self.person], "receivers": [self.me],
            }),
            "/audioRoutingGroups/{id}" => json!({ "receivers": [self.person] }),
            "/calls/logTeleconferenceDeviceQuality" => json!({ "quality": {
                "callChainId": "0622673d-9f69-49b3-9d4f-5ec64f42ecce", "mediaLegId": "bd9ee398-4b9d-42c7-8b8d-4e8efad9435f",
                "participantId": "ea078406-b5d4-4d3c-b85e-90103dcec7f6", "deviceName": "Device", "deviceDescription": "Room",
                "mediaQualityList": [{ "@odata.type": "#microsoft.graph.teleconferenceDeviceAudioQuality", "channelIndex": 1 }],
            } }),
            "/startTranscription" | "/stopTranscription" => json!({ "language": "en-us", "clientContext": "c" }),
            _ => json!({ "clientContext": "c" }),
        })
    }

    fn join_body(&self, callback: &str) -> Value {
        json!({
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": callback, "requestedModalities": ["audio"], "mediaConfig": service_hosted(),
            "chatInfo": { "threadId": self.meeting.thread_id, "messageId": "0" },
            "meetingInfo": {
                "@odata.type": "#microsoft.graph.organizerMeetingInfo",
                "organizer": { "user": { "id": self.meeting.organizer.id } },
            },
            "tenantId": self.meeting.tenant_id,
        })
    }

    /// A body that calls this many people.
    pub(super) fn call_people(&self, callback: &str, count: usize) -> Value {
        let target = json!({ "identity": { "user": { "id": self.user.id } } });
        let mut body = self.join_body(callback);
        body.as_object_mut().unwrap().remove("meetingInfo");
        body["targets"] = vec![target; count].into();
        body
    }
}
