//! Media verbs of `antiphon call`: what the service plays, records and dials for a bot.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-playprompt>, <https://learn.microsoft.com/graph/api/call-record>,
//! <https://learn.microsoft.com/graph/api/call-senddtmftones>.

use antiphon_graph::action;
use clap::Args;

use super::request::{BodyOption, GraphRequest};
use super::values::{ContextOption, Keys, prompts};

/// Options of `antiphon call play-prompt`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlayPrompt {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Audio file to play, WAV, mono, 16 bit, 16 kHz (https); may be repeated.
    #[arg(long = "uri", value_name = "URL", required_unless_present = "body")]
    uris: Vec<String>,

    /// Play them over and over (beta).
    #[arg(long = "loop")]
    looping: bool,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl PlayPrompt {
    pub(super) fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::PlayPrompt {
            prompts: prompts(&self.uris),
            loop_count: self.looping.then_some(true),
            client_context: self.context.client_context.clone(),
            ..action::PlayPrompt::default()
        };
        GraphRequest::post("/calls/{}/playPrompt", &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon call record-response` and `record`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecordResponse {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Audio file to play before (https).
    #[arg(long, value_name = "URL")]
    uri: Option<String>,

    /// Interrupt what is being played.
    #[arg(long)]
    barge_in: bool,

    /// How long to wait for a first word, 1 to 120 seconds.
    #[arg(long, value_name = "S")]
    initial_silence_timeout: Option<i32>,

    /// After how much silence to stop, 1 to 120 seconds.
    #[arg(long, value_name = "S")]
    max_silence_timeout: Option<i32>,

    /// When to stop in any case, 1 to 120 seconds.
    #[arg(long, value_name = "S")]
    max_duration: Option<i32>,

    /// Record without a beep before.
    #[arg(long)]
    no_beep: bool,

    /// Key that stops the recording: a digit, # or *; may be repeated.
    #[arg(long = "stop-tone", value_name = "KEY")]
    stop_tones: Vec<String>,

    /// Let the recording be fetched while it grows (beta).
    #[arg(long)]
    stream_while_recording: bool,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl RecordResponse {
    pub(super) fn request(&self, verb: &str) -> anyhow::Result<GraphRequest> {
        let flags = action::RecordResponse {
            prompts: self.uri.as_ref().map(|uri| prompts(std::slice::from_ref(uri))).unwrap_or_default(),
            barge_in_allowed: self.barge_in.then_some(true),
            initial_silence_timeout_in_seconds: self.initial_silence_timeout,
            max_silence_timeout_in_seconds: self.max_silence_timeout,
            max_record_duration_in_seconds: self.max_duration,
            play_beep: self.no_beep.then_some(false),
            stop_tones: self.stop_tones.clone(),
            stream_while_recording: self.stream_while_recording.then_some(true),
            client_context: self.context.client_context.clone(),
            ..action::RecordResponse::default()
        };
        GraphRequest::post(&format!("/calls/{{}}/{verb}"), &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon call send-dtmf-tones`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SendDtmfTones {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Keys to press, as on the telephone (12*#) or by name (tone1,star).
    #[arg(long, value_name = "KEYS", value_parser = Keys::parse, required_unless_present = "body")]
    tones: Option<Keys>,

    /// Milliseconds between two keys.
    #[arg(long, value_name = "MS")]
    delay: Option<i32>,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl SendDtmfTones {
    pub(super) fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::SendDtmfTones {
            tones: self.tones.as_ref().map(|keys| keys.0.clone()).unwrap_or_default(),
            delay_between_tones_ms: self.delay,
            client_context: self.context.client_context.clone(),
            ..action::SendDtmfTones::default()
        };
        GraphRequest::post("/calls/{}/sendDtmfTones", &[&self.call], &flags, &self.body)
    }
}
