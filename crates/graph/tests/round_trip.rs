//! Property tests: what is written reads back as the same, and no JSON panics.
//!
//! Typed resources are generated, written and read; and arbitrary JSON, some of
//! it with the members of real resources, goes through every reader.

use antiphon_graph::{
    AppHostedMediaConfig, AudioRoutingGroup, Call, CallDirection, CallId, CallState, ChatInfo, Collection,
    CommsNotification, CommsNotifications, CommsOperation, DeltaParticipants, ErrorEnvelope, Identity, IdentitySet,
    MediaDirection, MediaStream, Modality, OrganizerMeetingInfo, Participant, ParticipantId, ParticipantInfo,
    ResourceData, ResultInfo, RoutingMode, TokenMeetingInfo, blob,
};
use proptest::option;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
}

fn state() -> impl Strategy<Value = CallState> {
    prop_oneof![proptest::sample::select(CallState::ALL), "[a-z]{12,20}".prop_map(|text| CallState::parse(&text)),]
}

fn identity_set() -> impl Strategy<Value = IdentitySet> {
    let identity = || {
        (".*", option::of(".*")).prop_map(|(id, name)| Identity {
            id: Some(id),
            display_name: name,
            ..Identity::default()
        })
    };
    (option::of(identity()), option::of(identity()), option::of(identity()))
        .prop_map(|(user, application, guest)| IdentitySet { user, application, guest, ..IdentitySet::default() })
}

/// Members no resource declares.
fn extra() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map("x-[a-z]{1,8}", json(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(member(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A member name real resources have, or any other.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "@odata.type", "id", "state", "value", "resourceData", "resourceUrl", "changeType", "mediaConfig", "blob",
            "meetingInfo", "organizer", "identity", "user", "participants", "mediaStreams", "sourceId", "error", "code",
            "message", "innerError", "resultInfo", "subcode", "sequenceNumber", "antiphon", "version", "sdp", "type",
            "routingMode", "sources", "receivers", "status",
        ]).prop_map(str::to_owned),
        1 => ".{0,6}",
    ]
}

fn participant() -> impl Strategy<Value = Participant> {
    (".+", option::of(identity_set()), option::of(any::<bool>()), any::<u32>(), option::of(any::<i64>()), extra())
        .prop_map(|(id, identity, is_muted, source, roster_sequence_number, extra)| Participant {
            info: identity.map(ParticipantInfo::of),
            is_muted,
            media_streams: vec![MediaStream::main_audio(source, MediaDirection::SendReceive)],
            roster_sequence_number,
            extra,
            ..Participant::new(ParticipantId::new(id))
        })
}

fn call() -> impl Strategy<Value = Call> {
    let meeting = prop_oneof![
        identity_set().prop_map(|organizer| OrganizerMeetingInfo { organizer, ..Default::default() }.into()),
        ".*".prop_map(|token| TokenMeetingInfo { token, ..Default::default() }.into()),
    ];
    let media = (".*", option::of(any::<bool>())).prop_map(|(blob, remove)| {
        AppHostedMediaConfig {
            blob: Some(blob::Blob::new(blob)),
            remove_from_default_audio_group: remove,
            ..Default::default()
        }
        .into()
    });
    let result = (any::<i32>(), any::<i32>(), ".*").prop_map(|(code, sub, text)| ResultInfo::new(code, sub, text));
    (
        (option::of(".+"), option::of(state()), option::of(".*"), option::of(meeting), option::of(media)),
        (option::of(result), option::of(".*"), proptest::collection::vec(participant(), 0..3), extra()),
    )
        .prop_map(|((id, state, thread_id, meeting_info, media_config), (result_info, subject, roster, extra))| {
            Call {
                id: id.map(CallId::new),
                state,
                direction: Some(CallDirection::Outgoing),
                chat_info: thread_id.map(|thread| ChatInfo { thread_id: Some(thread), ..ChatInfo::default() }),
                meeting_info,
                media_config,
                requested_modalities: Some(vec![Modality::Audio]),
                result_info,
                subject,
                participants: Some(roster),
                extra,
                ..Call::default()
            }
        })
}

proptest! {
    #[test]
    fn a_call_reads_back_as_written(call in call()) {
        reads_back(&call);
    }

    #[test]
    fn a_routing_group_reads_back_as_written(
        id in ".*", sources in proptest::collection::vec(".+", 0..3), receivers in proptest::collection::vec(".+", 0..5),
    ) {
        let ids = |texts: Vec<String>| texts.into_iter().map(ParticipantId::new).collect();
        reads_back(&AudioRoutingGroup::new(id, RoutingMode::Multicast, ids(sources), ids(receivers)));
    }

    #[test]
    fn notifications_read_back_as_written(calls in proptest::collection::vec(call(), 0..3), url in option::of(".*")) {
        let notification = |data| CommsNotification { resource_url: url.clone(), resource_data: data, ..Default::default() };
        let mut all: Vec<_> = calls.iter().map(|call| notification(ResourceData::one(call).unwrap())).collect();
        all.push(notification(ResourceData::many(&calls).unwrap()));
        reads_back(&CommsNotifications::of(all));
    }

    #[test]
    fn any_json_is_read_or_refused_and_what_is_read_is_stable(value in json()) {
        fn stable<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &Value) {
            if let Ok(read) = serde_json::from_value::<T>(value.clone()) {
                reads_back(&read);
            }
        }
        stable::<Call>(&value);
        stable::<CommsNotifications>(&value);
        stable::<Collection<Participant>>(&value);
        stable::<DeltaParticipants>(&value);
        stable::<CommsOperation>(&value);
        stable::<AudioRoutingGroup>(&value);
        stable::<ErrorEnvelope>(&value);
        let _ = blob::parse(&value.to_string());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = CommsNotifications::parse(&bytes);
        let _ = ErrorEnvelope::parse(&bytes);
    }
}
