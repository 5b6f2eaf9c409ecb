//! `antiphon emulator`: the calling service as a program.
//!
//! Owns its life: settings from options and file, the things to begin with, what is told at start, a clean stop. The
//! service itself is `antiphon-emulator`.

mod announce;
mod entries;
mod file;
mod options;

pub(crate) use options::EmulatorOptions;

use antiphon_emulator::{App, Emulator, MeetingView, User};
use anyhow::Context as _;

use crate::{INTERRUPTED, unless_interrupted};
use announce::Announcement;
use entries::AppEntry;
use file::{Entries, Placed};

/// Runs the service until Ctrl-C or SIGTERM.
pub(crate) async fn run(options: &EmulatorOptions) -> anyhow::Result<u8> {
    let settings = options.settings()?;
    if let Some(folder) = settings.ca_file.parent() {
        let fault = || format!("cannot make {}; choose another --ca-file", folder.display());
        std::fs::create_dir_all(folder).with_context(fault)?;
    }
    let emulator = Emulator::start(settings.config).await?;
    let seeded = Seeded::put(&emulator, &settings.entries)?;
    let announcement = Announcement {
        emulator: &emulator,
        ca_file: &settings.ca_file,
        apps: &seeded.apps,
        users: &seeded.users,
        meetings: &seeded.meetings,
    };
    if options.json {
        println!("{}", announcement.as_json());
    } else {
        print!("{}", announcement.as_text());
    }
    stopped().await?;
    if !options.json {
        println!("stopping: ending calls and delivering their last notifications");
    }
    match unless_interrupted(emulator.stop()).await {
        Some(()) => Ok(0),
        None => Ok(INTERRUPTED),
    }
}

/// What the emulator began with.
#[derive(Debug, Default)]
struct Seeded {
    apps: Vec<App>,
    users: Vec<User>,
    meetings: Vec<MeetingView>,
}

impl Seeded {
    /// Users first: they organize meetings.
    fn put(emulator: &Emulator, entries: &Entries) -> anyhow::Result<Self> {
        let users = entries.users.iter().map(|user| emulator.add_user(user.entry.user()).context(user.place.clone()));
        let users = users.collect::<anyhow::Result<_>>()?;
        let apps = entries.apps.iter().map(|app| register(emulator, app)).collect::<anyhow::Result<_>>()?;
        let meetings = entries
            .meetings
            .iter()
            .map(|meeting| emulator.create_meeting(meeting.entry.meeting()).context(meeting.place.clone()));
        Ok(Self { apps, users, meetings: meetings.collect::<anyhow::Result<_>>()? })
    }
}

fn register(emulator: &Emulator, app: &Placed<AppEntry>) -> anyhow::Result<App> {
    let registered = emulator.register_app(app.entry.registration()).context(app.place.clone())?;
    match app.entry.consent() {
        Some(consent) => emulator.consent(&registered.app_id, consent).context(app.place.clone()),
        None => Ok(registered),
    }
}

/// Waits for the signal to stop.
async fn stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("Ctrl-C cannot be watched")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
