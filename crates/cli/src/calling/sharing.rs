//! `antiphon content-sharing-session` and `antiphon operation`: what a call has besides people.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/contentsharingsession>,
//! <https://learn.microsoft.com/graph/api/resources/commsoperation>.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::request::{GraphRequest, ReplyKind};

/// Verbs of `antiphon content-sharing-session`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ContentSharingSessionCommand {
    /// Print what is being shared in a call.
    List(All),
    /// Print one session.
    Get(One),
    /// Write the slide that is being shown to a file (beta).
    Slide(Slide),
}

/// Verbs of `antiphon operation`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// Print the operations of a call.
    List(All),
    /// Print one operation.
    Get(One),
}

/// A collection of a call.
#[derive(Clone, Debug, Args)]
pub(crate) struct All {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,
}

/// Something of a call, by its id.
#[derive(Clone, Debug, Args)]
pub(crate) struct One {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Its own id.
    #[arg(value_name = "ID")]
    id: String,
}

/// Options of `antiphon content-sharing-session slide`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Slide {
    #[command(flatten)]
    session: One,

    /// PNG file to write; - for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl ContentSharingSessionCommand {
    /// The request it makes.
    pub(super) fn request(&self) -> GraphRequest {
        match self {
            Self::List(all) => GraphRequest::list("/calls/{}/contentSharingSessions", &[&all.call]),
            Self::Get(one) => GraphRequest::get("/calls/{}/contentSharingSessions/{}", &[&one.call, &one.id]),
            Self::Slide(slide) => {
                let ids = [slide.session.call.as_str(), &slide.session.id];
                let request = GraphRequest::get("/calls/{}/contentSharingSessions/{}/pngOfCurrentSlide", &ids);
                GraphRequest { reply: ReplyKind::Bytes(slide.out.clone()), ..request }.in_beta()
            }
        }
    }
}

impl OperationCommand {
    /// The request it makes.
    pub(super) fn request(&self) -> GraphRequest {
        match self {
            Self::List(all) => GraphRequest::list("/calls/{}/operations", &[&all.call]),
            Self::Get(one) => GraphRequest::get("/calls/{}/operations/{}", &[&one.call, &one.id]),
        }
    }
}
