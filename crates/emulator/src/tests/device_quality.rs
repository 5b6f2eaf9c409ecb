//! Reports of meeting-room devices on their media.

use super::*;

const PATH: &str = "/v1.0/communications/calls/logTeleconferenceDeviceQuality";

fn report() -> Value {
    json!({ "quality": {
        "@odata.type": "#microsoft.graph.teleconferenceDeviceQuality",
        "callChainId": "0622673d-9f69-49b3-9d4f-5ec64f42ecce",
        "participantId": "EA078406B5D44D3CB85E90103DCEC7F6",
        "mediaLegId": "bd9ee398-4b9d-42c7-8b8d-4e8efad9435f",
        "deviceName": "Room 7", "deviceDescription": "Large room",
        "cloudServiceName": "Bridge",
        "mediaQualityList": [
            {
                "@odata.type": "#microsoft.graph.teleconferenceDeviceAudioQuality",
                "channelIndex": 1, "mediaDuration": "PT20M", "networkLinkSpeedInBytes": 13000,
                "localIPAddress": "192.0.2.1", "localPort": 8080, "inboundPackets": 5500,
                "averageInboundPacketLossRateInPercentage": 5, "maximumInboundJitter": "PT0.03S",
            },
            {
                "@odata.type": "#microsoft.graph.teleconferenceDeviceScreenSharingQuality",
                "channelIndex": 0, "averageInboundBitRate": 1500.5,
            },
        ],
    } })
}

impl Bot<'_> {
    async fn reports(&self, path: &str, agent: Option<&str>, body: &Value) -> Answer {
        let mut request = Request::post(path)
            .header(HOST, "localhost:8443")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json");
        if let Some(agent) = agent {
            request = request.header("user-agent", agent);
        }
        self.rig.send(local(request.body(Body::from(body.to_string())).unwrap())).await
    }
}

#[tokio::test]
async fn complete_report_is_taken_in_both_versions_and_families() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    for path in [
        PATH,
        "/beta/communications/calls/LOGTELECONFERENCEDEVICEQUALITY",
        "/beta/app/calls/microsoft.graph.logTeleconferenceDeviceQuality",
    ] {
        let answer = bot.reports(path, Some("Room/7"), &report()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type"), &answer.body), (200, "", &Value::Null));
    }
}

#[tokio::test]
async fn report_needs_a_user_agent_and_the_media_permission() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    for agent in [None, Some("")] {
        let message = bot.reports(PATH, agent, &report()).await.expect_error(400, "invalidRequest");
        assert!(message.contains("User-Agent"), "{message}");
    }
    let poor = rig.bot(&["Calls.JoinGroupCall.All"]).await;
    poor.reports(PATH, Some("Room/7"), &report()).await.expect_error(403, "7504");
}

#[tokio::test]
async fn whatever_is_missing_or_impossible_in_a_report_is_named() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut report = report();
        change(&mut report["quality"]);
        report
    };
    let media = |name: &'static str, value: Value| {
        move |quality: &mut Value| quality["mediaQualityList"][0][name] = value.clone()
    };
    let mut wrong = vec![
        (json!({}), "quality".to_owned()),
        (json!({ "quality": null }), "quality".to_owned()),
        (edit(&|quality| quality["callChainId"] = json!("7")), "quality.callChainId".to_owned()),
        (edit(&|quality| quality["mediaQualityList"] = json!({})), "quality.mediaQualityList".to_owned()),
        (
            edit(&|quality| drop(quality["mediaQualityList"][1].as_object_mut().unwrap().remove("@odata.type"))),
            "quality.mediaQualityList[1]".to_owned(),
        ),
        (
            edit(&|quality| drop(quality["mediaQualityList"][1].as_object_mut().unwrap().remove("channelIndex"))),
            "quality.mediaQualityList[1].channelIndex".to_owned(),
        ),
    ];
    for name in ["callChainId", "participantId", "mediaLegId", "deviceName", "deviceDescription", "mediaQualityList"] {
        wrong.push((edit(&|quality| drop(quality.as_object_mut().unwrap().remove(name))), format!("quality.{name}")));
    }
    for (name, value) in [
        ("localPort", json!(65_536)),
        ("remotePort", json!(-1)),
        ("inboundPackets", json!(-1)),
        ("outboundPackets", json!("many")),
        ("channelIndex", json!(-1)),
        ("averageInboundPacketLossRateInPercentage", json!(100.1)),
        ("maximumInboundJitter", json!("30 ms")),
        ("mediaDuration", json!("-PT1S")),
    ] {
        wrong.push((edit(&media(name, value)), format!("quality.mediaQualityList[0].{name}")));
    }
    for (body, culprit) in wrong {
        let answer = bot.reports(PATH, Some("Room/7"), &body).await;
        assert_eq!(answer.body["error"]["target"], culprit, "{}", answer.body);
        let message = answer.expect_error(400, "invalidRequest");
        assert!(message.contains(&culprit), "{message}");
    }
}
