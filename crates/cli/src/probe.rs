//! `antiphon probe`: a bot that speaks a tone in a meeting and says which tones it heard.
//!
//! Owns one short call, for checking a service, a network path or another media stack by decoded sound. In the flow: the
//! façade does everything; [`crate::tones`] makes and finds the tones. Prints one JSON line when the call is established,
//! one at the end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use antiphon::{AudioFormat, AudioSocket, Bot, JoinOptions, Meeting, WebhookConfig, WebhookTls};
use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use crate::args::ProbeOptions;
use crate::tones::{Peak, Tone, peaks};
use crate::webhook_identity::WebhookIdentity;

const FORMAT: AudioFormat = AudioFormat::PCM_16K;
/// Peak of the spoken tone; full scale is 1.
const AMPLITUDE: f64 = 0.25;
/// What is heard this long after the call came up is set-up, not signal.
const SETTLE: Duration = Duration::from_millis(1500);
const ESTABLISH: Duration = Duration::from_secs(20);
/// Frames kept queued in the mouth.
const QUEUED_FRAMES: usize = 3;
const MOST_PEAKS: usize = 6;

/// The tones of one source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lane {
    source_id: u32,
    seconds: f64,
    peaks: Vec<Peak>,
}

/// Joins, speaks, listens, hangs up.
pub(crate) async fn run(options: &ProbeOptions) -> anyhow::Result<u8> {
    let bot = bot(options).await?;
    let meeting = Meeting::by_id(options.meeting.clone(), options.passcode.clone());
    let terms = JoinOptions { format: FORMAT, unmixed: true, ..JoinOptions::default() };
    let call = bot.join(&meeting, terms).await.context("the meeting could not be joined")?;
    tokio::time::timeout(ESTABLISH, call.established())
        .await
        .with_context(|| format!("the call has no audio after {} s", ESTABLISH.as_secs()))??;
    println!(
        "{}",
        json!({ "callId": call.id().as_str(), "participantId": call.my_participant_id().map(|id| id.to_string()) })
    );
    let socket = call.audio();
    let until = Instant::now() + Duration::from_secs_f64(options.seconds);
    let from = Instant::now() + SETTLE;
    let (_, mixed, lanes) =
        tokio::join!(speak(socket, options.tone, until), mixed(socket, from, until), lanes(socket, from, until));
    let cause = call.hang_up().await;
    tracing::info!(?cause, "hung up");
    let rate = FORMAT.sample_rate();
    let lanes: Vec<Lane> = lanes
        .into_iter()
        .map(|(source_id, samples)| Lane {
            source_id,
            seconds: samples.len() as f64 / f64::from(rate),
            peaks: peaks(&samples, rate, MOST_PEAKS),
        })
        .collect();
    println!("{}", json!({ "spoken": options.tone, "mixed": peaks(&mixed, rate, MOST_PEAKS), "lanes": lanes }));
    Ok(0)
}

async fn bot(options: &ProbeOptions) -> anyhow::Result<Bot> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let secret = options.secret.clone().or_else(|| std::env::var("ANTIPHON_CLIENT_SECRET").ok());
    let secret = secret.context("give the application secret by --secret or in ANTIPHON_CLIENT_SECRET")?;
    let mut builder = Bot::builder(&options.app, secret, &options.tenant).service_url(&options.graph_url);
    if let Some(url) = &options.authority_url {
        builder = builder.authority_url(url);
    }
    if let Some(url) = &options.openid_url {
        builder = builder.openid_url(url);
    }
    if let Some(path) = &options.ca_file {
        builder = builder.ca_file(path.to_str().context("the path of --ca-file must be Unicode")?);
    }
    let tls = match &options.webhook_tls {
        Some(files) => webhook_tls(files)?,
        None => WebhookIdentity::for_loopback()?.tls(),
    };
    let webhook = WebhookConfig::new(SocketAddr::new(loopback, 0), tls);
    builder.no_proxy().webhook(webhook).media_address(loopback).start().await.context("the bot cannot start")
}

/// Reads `CERT,KEY`.
fn webhook_tls(files: &str) -> anyhow::Result<WebhookTls> {
    let (certificates, key) = files.split_once(',').context("write --webhook-tls as CERT,KEY")?;
    let read = |path: &str| std::fs::read(path).with_context(|| format!("cannot read {path}"));
    Ok(WebhookTls::Pem { certificates: read(certificates)?, key: read(key)? })
}

async fn speak(socket: &AudioSocket, hertz: f64, until: Instant) {
    let mut tone = Tone::new(hertz, AMPLITUDE, FORMAT.sample_rate());
    let mut frame = vec![0; FORMAT.frame_samples()];
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while Instant::now() < until && !socket.is_closed() {
        while socket.queued().await < QUEUED_FRAMES * frame.len() {
            tone.fill(&mut frame);
            if socket.speak(&frame).await.is_err() {
                return;
            }
        }
        ticks.tick().await;
    }
}

async fn mixed(socket: &AudioSocket, from: Instant, until: Instant) -> Vec<f32> {
    let mut heard = Vec::new();
    while let Ok(Some(frame)) = tokio::time::timeout_at(until.into(), socket.mixed()).await {
        if Instant::now() >= from {
            heard.extend(frame.samples.as_slice().iter().map(to_float));
        }
    }
    heard
}

async fn lanes(socket: &AudioSocket, from: Instant, until: Instant) -> BTreeMap<u32, Vec<f32>> {
    let mut heard: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
    while let Ok(Some(frame)) = tokio::time::timeout_at(until.into(), socket.unmixed()).await {
        if Instant::now() >= from {
            let lane = heard.entry(frame.source_id.as_u32()).or_default();
            lane.extend(frame.samples.as_slice().iter().map(to_float));
        }
    }
    heard
}

fn to_float(sample: &i16) -> f32 {
    f32::from(*sample) / 32_768.0
}
