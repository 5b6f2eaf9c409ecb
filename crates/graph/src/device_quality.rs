//! `teleconferenceDeviceQuality`: how a meeting-room device's media went.
//!
//! A device, and one report per media stream: audio, video or screen sharing.
//! Jitter and delays are spans of time, losses are percentages, and all is seen
//! from the device.
//! Spec: <https://learn.microsoft.com/graph/api/resources/teleconferencedevicequality> and the pages it links.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, Guid, IsoDuration, TypeTag, Typed, lenient_i32, lenient_i64, null_as_default, polymorphic};

/// The report of one device in one call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeleconferenceDeviceQuality {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_chain_id: Option<Guid>,
    /// The device in the roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_id: Option<Guid>,
    /// The leg the media took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_leg_id: Option<Guid>,
    /// Name of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// What the device is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_description: Option<String>,
    /// The partner's service between device and meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_service_name: Option<String>,
    /// Instance of that service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_service_instance_name: Option<String>,
    /// Deployment of that service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_service_deployment_id: Option<String>,
    /// Environment of that deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_service_deployment_environment: Option<String>,
    /// One report per media stream.
    #[serde(default, deserialize_with = "null_as_default")]
    pub media_quality_list: Vec<TeleconferenceDeviceMediaQuality>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for TeleconferenceDeviceQuality {
    const TYPE: &'static str = "teleconferenceDeviceQuality";
}

polymorphic! {
    /// The report of one media stream.
    TeleconferenceDeviceMediaQuality {
        /// Of audio.
        Audio(TeleconferenceDeviceAudioQuality),
        /// Of video.
        Video(TeleconferenceDeviceVideoQuality),
        /// Of screen sharing.
        ScreenSharing(TeleconferenceDeviceScreenSharingQuality),
    }
}

/// Declares the report of one kind of media: what all kinds have, and its own members.
macro_rules! media_quality {
    ($(#[$meta:meta])* $name:ident = $type:literal { $( $(#[$own_meta:meta])* $own:ident: $ty:ty ),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// `@odata.type`
            #[serde(rename = "@odata.type", default)]
            pub odata_type: TypeTag<Self>,
            /// Which of several channels of the kind.
            #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
            pub channel_index: Option<i32>,
            /// How long media flowed.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub media_duration: Option<IsoDuration>,
            /// Speed of the network link, bytes per second.
            #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
            pub network_link_speed_in_bytes: Option<i64>,
            /// Address of the device.
            #[serde(rename = "localIPAddress", default, skip_serializing_if = "Option::is_none")]
            pub local_ip_address: Option<String>,
            /// Port of the device.
            #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
            pub local_port: Option<i32>,
            /// Address of the other end.
            #[serde(rename = "remoteIPAddress", default, skip_serializing_if = "Option::is_none")]
            pub remote_ip_address: Option<String>,
            /// Port of the other end.
            #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
            pub remote_port: Option<i32>,
            /// Packets received.
            #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
            pub inbound_packets: Option<i64>,
            /// Packets sent.
            #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
            pub outbound_packets: Option<i64>,
            /// Mean jitter of what was received.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub average_inbound_jitter: Option<IsoDuration>,
            /// Highest jitter of what was received.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub maximum_inbound_jitter: Option<IsoDuration>,
            /// Mean jitter of what was sent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub average_outbound_jitter: Option<IsoDuration>,
            /// Highest jitter of what was sent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub maximum_outbound_jitter: Option<IsoDuration>,
            /// Mean loss of what was received, percent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub average_inbound_packet_loss_rate_in_percentage: Option<f64>,
            /// Highest loss of what was received, percent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub maximum_inbound_packet_loss_rate_in_percentage: Option<f64>,
            /// Mean loss of what was sent, percent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub average_outbound_packet_loss_rate_in_percentage: Option<f64>,
            /// Highest loss of what was sent, percent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub maximum_outbound_packet_loss_rate_in_percentage: Option<f64>,
            /// Mean round trip, measured on what was received.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub average_inbound_round_trip_delay: Option<IsoDuration>,
            /// Longest round trip, measured on what was received.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub maximum_inbound_round_trip_delay: Option<IsoDuration>,
            /// Mean round trip, measured on what was sent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub average_outbound_round_trip_delay: Option<IsoDuration>,
            /// Longest round trip, measured on what was sent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub maximum_outbound_round_trip_delay: Option<IsoDuration>,
            $(
                $(#[$own_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $own: Option<$ty>,
            )*
            /// Members the metadata does not declare.
            #[serde(flatten)]
            pub extra: Extra,
        }

        impl Typed for $name {
            const TYPE: &'static str = $type;
        }
    };
}

media_quality! {
    /// Quality of audio.
    TeleconferenceDeviceAudioQuality = "teleconferenceDeviceAudioQuality" {}
}

media_quality! {
    /// Quality of video.
    TeleconferenceDeviceVideoQuality = "teleconferenceDeviceVideoQuality" {
        /// Mean bit rate received.
        average_inbound_bit_rate: f64,
        /// Mean frame rate received.
        average_inbound_frame_rate: f64,
        /// Mean bit rate sent.
        average_outbound_bit_rate: f64,
        /// Mean frame rate sent.
        average_outbound_frame_rate: f64,
    }
}

media_quality! {
    /// Quality of screen sharing, which is video.
    TeleconferenceDeviceScreenSharingQuality = "teleconferenceDeviceScreenSharingQuality" {
        /// Mean bit rate received.
        average_inbound_bit_rate: f64,
        /// Mean frame rate received.
        average_inbound_frame_rate: f64,
        /// Mean bit rate sent.
        average_outbound_bit_rate: f64,
        /// Mean frame rate sent.
        average_outbound_frame_rate: f64,
    }
}
