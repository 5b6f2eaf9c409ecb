//! An emulator in this process, and the binary run against it.
//!
//! The binary gets a clean environment: only what a test says, and what it needs to run at all.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use antiphon_emulator::{App, Consent, Emulator, EmulatorConfig, NewApp, TrustAnchors};
use serde_json::Value;
use tempfile::TempDir;

/// A running emulator with one application.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) app: App,
    folder: TempDir,
}

/// What a run of the binary left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Standard output as JSON of a successful run.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that it went well and printed nothing.
    #[track_caller]
    pub(crate) fn silent(&self) {
        assert_eq!((self.code, self.out.as_str()), (0, ""), "{self:?}");
    }

    /// Asserts that it failed with all of these words on standard error.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word}: {self:?}");
        }
    }
}

impl Stage {
    /// With an app that asks for these permissions, all consented to.
    pub(crate) async fn with(permissions: &[&str]) -> Self {
        let stage = Self::unconsented(permissions).await;
        stage.emulator.consent(&stage.app.app_id, Consent::default()).expect("consent");
        stage
    }

    /// With an app that asks for these permissions in vain.
    pub(crate) async fn unconsented(permissions: &[&str]) -> Self {
        Self::trusting(permissions, Vec::new()).await
    }

    /// With an app that has every tenant-wide permission, and an emulator that trusts a webhook's authority.
    pub(crate) async fn with_webhook(ca_pem: &str) -> Self {
        let all = antiphon_graph::permission::Permission::ALL.map(|permission| permission.name());
        let stage = Self::trusting(&all, vec![TrustAnchors::Pem(ca_pem.into())]).await;
        stage.emulator.consent(&stage.app.app_id, Consent::default()).expect("consent");
        stage
    }

    async fn trusting(permissions: &[&str], webhook_trust: Vec<TrustAnchors>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config =
            EmulatorConfig { ca_file: Some(folder.path().join("ca.pem")), webhook_trust, ..EmulatorConfig::default() };
        let emulator = Emulator::start(config).await.expect("an emulator");
        let app = emulator
            .register_app(NewApp {
                display_name: "Bot".to_owned(),
                permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
                ..NewApp::default()
            })
            .expect("an app");
        Self { emulator, app, folder }
    }

    /// Where the emulator's CA is.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A file of this stage.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The variables that make commands reach the emulator as the app.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ANTIPHON_SERVICE", self.emulator.base_url()),
            ("ANTIPHON_CA_FILE", self.ca_file().display().to_string()),
            ("ANTIPHON_TENANT_ID", self.emulator.tenant_id()),
            ("ANTIPHON_APP_ID", self.app.app_id.clone()),
            ("ANTIPHON_CLIENT_SECRET", self.app.client_secret.clone()),
        ]
    }

    /// Runs a command line as the app.
    pub(crate) async fn run(&self, words: &[&str]) -> Run {
        antiphon(words, &self.environment(), None).await
    }
}

/// Runs the binary.
pub(crate) async fn antiphon(words: &[&str], environment: &[(&str, String)], stdin: Option<&str>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command.args(words).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::piped());
    for name in ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    for (name, value) in environment {
        command.env(name, value);
    }
    let stdin = stdin.map(str::to_owned);
    let run = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("the binary starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        if let Some(text) = stdin {
            // A program that does not read it closes the pipe.
            drop(pipe.write_all(text.as_bytes()));
        }
        drop(pipe);
        child.wait_with_output().expect("the binary ends")
    });
    let output = run.await.expect("no panic");
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The path as an argument.
pub(crate) fn argument(path: &Path) -> &str {
    path.to_str().expect("Unicode")
}
