//! An emulator with everything in it that a test needs, in one expression.
//!
//! Collects configuration and what to create, then starts and creates it in order: tenants, applications with their
//! consent, users, meetings. Nothing happens before [`EmulatorBuilder::start`], and nothing is left running if it fails.

use std::net::SocketAddr;

use crate::clock::Clock;
use crate::config::{EmulatorConfig, TrustAnchors};
use crate::emulator::{Emulator, StartError};
use crate::entra::{Consent, NewApp, NewUser};
use crate::operations::NewMeeting;

/// What to start, and with what in it. From [`Emulator::builder`].
#[derive(Debug, Clone, Default)]
#[must_use = "nothing happens before `start`"]
pub struct EmulatorBuilder {
    config: EmulatorConfig,
    first_tenant: bool,
    tenants: Vec<String>,
    apps: Vec<(NewApp, bool)>,
    users: Vec<NewUser>,
    meetings: Vec<NewMeeting>,
}

impl EmulatorBuilder {
    /// Starts from this configuration instead of the default one.
    pub fn config(mut self, config: EmulatorConfig) -> Self {
        self.config = config;
        self
    }

    /// TCP address of the TLS port; any free port of 127.0.0.1 if this is not said.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.config.bind = address;
        self
    }

    /// The time of all deadlines and tokens.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.config.clock = clock;
        self
    }

    /// Trusts further certificates for webhooks. Those of [`Emulator::issue_certificate`] are trusted anyway.
    pub fn trust(mut self, anchors: TrustAnchors) -> Self {
        self.config.webhook_trust.push(anchors);
        self
    }

    /// Takes webhooks without TLS. Graph never does.
    pub fn allow_http_callbacks(mut self) -> Self {
        self.config.allow_http_callbacks = true;
        self
    }

    /// A tenant of this GUID; the first one said is where everything without a tenant goes.
    pub fn tenant(mut self, id: impl Into<String>) -> Self {
        if self.first_tenant {
            self.tenants.push(id.into());
        } else {
            self.config.tenant_id = id.into();
            self.first_tenant = true;
        }
        self
    }

    /// An application, with its tenant's consent to all it asks for.
    pub fn app(mut self, app: NewApp) -> Self {
        self.apps.push((app, true));
        self
    }

    /// An application that no administrator has consented to: its tokens carry no roles.
    pub fn app_without_consent(mut self, app: NewApp) -> Self {
        self.apps.push((app, false));
        self
    }

    /// A user: by name, or with all a [`NewUser`] can say.
    pub fn user(mut self, user: impl Into<NewUser>) -> Self {
        self.users.push(user.into());
        self
    }

    /// A meeting: by subject, or with all a [`NewMeeting`] can say.
    pub fn meeting(mut self, meeting: impl Into<NewMeeting>) -> Self {
        self.meetings.push(meeting.into());
        self
    }

    /// Starts the emulator and creates everything. Must be called on a tokio runtime. [`Emulator::apps`],
    /// [`Emulator::users`] and [`Emulator::meetings`] have what was created.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub async fn start(mut self) -> Result<Emulator, StartError> {
        let emulator = Emulator::start(std::mem::take(&mut self.config)).await?;
        match self.fill(&emulator) {
            Ok(()) => Ok(emulator),
            Err(error) => {
                emulator.stop().await;
                Err(error)
            }
        }
    }

    fn fill(self, emulator: &Emulator) -> Result<(), StartError> {
        for tenant in &self.tenants {
            emulator.add_tenant(Some(tenant))?;
        }
        for (app, consented) in self.apps {
            let app = emulator.register_app(app)?;
            if consented {
                emulator.consent(&app.app_id, Consent::default())?;
            }
        }
        for user in self.users {
            emulator.add_user(user)?;
        }
        for meeting in self.meetings {
            emulator.create_meeting(meeting)?;
        }
        Ok(())
    }
}
