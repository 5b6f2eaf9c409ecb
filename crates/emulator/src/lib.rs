//! A Graph-compatible calling service with real meetings, for a laptop or a test.
//!
//! Owns the service side of call control: tokens with consent (`entra`), the calling API (`api`), signed notifications
//! (`notify`), meetings whose sound is an engine conversation (`meeting`), administration and join page (`admin`). One
//! process, one TCP port with TLS by its own CA. State is in memory. Its call state machine is its own: shared with no
//! client, so that the two test each other. Async code; media runs on the engine's threads.
//! Spec: Microsoft Graph cloud communications API, v1.0 and beta.

mod emulator;
pub use emulator::{Emulator, StartError};
mod builder;
pub use builder::EmulatorBuilder;
mod config;
pub use config::{DEFAULT_TENANT, EmulatorConfig, Limits, TrustAnchors};
mod clock;
pub use clock::{Clock, ManualClock, ServiceTime};
mod operations;
pub use operations::{
    CallView, ConversationKind, ConversationView, KeyPresses, MatrixRow, MeetingView, NewMeeting, NewPerson,
    NewPlainLeg, NewSharing, NewUserCall, OperationError, ParticipantPatch, ParticipantView, PersonView, PlainCodec,
    PlainLegView, PlainSrtp, RingAnswer, RingRefusal, RingView, SessionDescription, UserCallView,
};

mod patience;
mod server;
mod service;
mod tls;
pub use tls::{IssuedCertificate, TlsError};

mod entra;
pub use entra::{Answering, AnsweringAction, App, Consent, DirectoryError, NewApp, NewUser, User};
mod admin;
mod api;

mod call;
mod meeting;
mod speech;
pub use speech::{Speech, SpeechError};
mod world;
pub use meeting::MeetingId;
mod notify;
pub use notify::{CourierError, DeliveryCounts};

#[cfg(test)]
mod tests;
