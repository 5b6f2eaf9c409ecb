//! Graph call control for bots: client, tokens, notifications, call state.
//!
//! Owns everything a bot says to Graph and hears from it; media is elsewhere.
//! Four parts that do not know each other: [`client`] (typed endpoints over
//! HTTP), [`token`] (client credentials, cached), [`webhook`] (verified
//! notifications, queued per call) and [`call`] (the sans-IO state machine of
//! one call). Whoever drives a call connects them; see [`call::CallMachine`].
//! Base URLs and trust are configuration: Graph and the emulator look alike.
//! Spec: <https://learn.microsoft.com/graph/api/resources/communications-api-overview>.

pub mod call;
pub mod client;
pub mod fuzz;
pub mod http;
pub mod meeting_link;
pub mod secret;
pub mod token;
pub mod webhook;

pub use call::CallMachine;
pub use client::{GraphClient, GraphError};
pub use http::HttpClient;
pub use meeting_link::MeetingLink;
pub use token::TokenCache;
pub use webhook::WebhookListener;
