//! `antiphon emulator`, run: from a file, from options alone, and what it says to paste.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::stage::antiphon;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/emulator.toml");

/// The program, running. Dropped, it is killed.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
        command.arg("emulator").args(["--listen", "127.0.0.1:0"]).args(words).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }

    /// Everything up to and with the line that begins so.
    fn until(&mut self, beginning: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.line();
            text.push_str(&line);
            text.push('\n');
            if line.starts_with(beginning) {
                return text;
            }
        }
    }

    /// Asks it to stop; its exit code.
    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commented_example_starts_and_is_as_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    let mut running = Running::start(&["--config", EXAMPLE, "--ca-file", ca.to_str().expect("Unicode"), "--json"]);
    let facts: Value = serde_json::from_str(&running.line()).expect("JSON");
    assert_eq!(facts["tenantId"], "3b9f6f5e-7c0d-4a57-9f0b-6d1c5a0e7a11");
    assert_eq!(facts["apps"][0]["webhookUrl"], "https://127.0.0.1:9443/api/calls");
    assert_eq!(facts["users"][1]["answering"]["action"], "busy");
    assert_eq!(facts["meetings"][1]["passcode"], Value::Null);
    assert_eq!(facts["meetings"][0]["organizer"]["displayName"], "Ada");
    let environment: Vec<(&str, String)> = facts["environment"]
        .as_object()
        .expect("variables")
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.to_owned())))
        .collect();
    let fit = antiphon(&["doctor", "--want", "group-call", "--want", "media"], &environment, None).await;
    assert!(fit.code == 0 && fit.out.contains("0 missing"), "{fit:?}");
    let second = [
        ("AZURE_CLIENT_ID", facts["apps"][1]["appId"].as_str().expect("an id").to_owned()),
        ("AZURE_CLIENT_SECRET", "another-secret".to_owned()),
    ];
    let environment: Vec<(&str, String)> = environment.into_iter().chain(second).collect();
    let unfit = antiphon(&["doctor", "--want", "join"], &environment, None).await;
    assert!(unfit.code == 1 && unfit.out.contains("nothing is consented to"), "{unfit:?}");
    assert_eq!(running.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_says_to_paste_works_when_pasted() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("a folder's ca.pem");
    let mut running = Running::start(&[
        "--ca-file",
        ca.to_str().expect("Unicode"),
        "--plain-http",
        "127.0.0.1:0",
        "--app",
        "secret=it's $ecret,permissions=Calls.JoinGroupCall.All,webhook=https://127.0.0.1:9/x",
        "--user",
        "name=Ada,phone=+15550100",
        "--meeting",
        "subject=Standup,lobby=true",
    ]);
    let text = running.until("# A browser");
    for told in ["http://127.0.0.1:", "https://127.0.0.1:9/x", "Ada, +15550100", "Standup", "meeting id"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    for variable in ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "AZURE_AUTHORITY_HOST"] {
        assert!(text.contains(&format!("\nexport {variable}=")), "{variable}: {text}");
    }
    let lines = text.split_once("# Paste").expect("lines to paste").1;
    let script = format!("#{lines}\n{} call get no-such-call", env!("CARGO_BIN_EXE_antiphon"));
    // The system's roots are not asked for here: SSL_CERT_FILE is the emulator's own now.
    let output =
        tokio::task::spawn_blocking(move || Command::new("sh").arg("-c").arg(script).output().expect("a shell"));
    let output = output.await.expect("no panic");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("404") && told.contains("8522"), "{told}");
    assert_eq!(running.stop(), Some(0));
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_line_and_member_before_anything_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("emulator.toml");
    let guid = "2d2f1a4e-0000-4000-8000-000000000001";
    let twice = format!("[[app]]\nid = \"{guid}\"\n\n[[app]]\nid = \"{guid}\"\n");
    let stranger = format!("\n[[meeting]]\norganizer = \"{guid}\"\n");
    let greedy = "[[app]]\npermissions = [\"Calls.Initiate.All\"]\nconsent = [\"Calls.AccessMedia.All\"]\n";
    for (text, words) in [
        ("listen = \"nowhere\"\n", &["emulator.toml line 1", "listen"][..]),
        ("\n\nlisten-on = 1\n", &["emulator.toml line 3", "listen-on"]),
        (twice.as_str(), &["emulator.toml line 4, [[app]]", "already taken"]),
        (stranger.as_str(), &["emulator.toml line 2, [[meeting]]", guid]),
        (greedy, &["emulator.toml line 1, [[app]]", "Calls.AccessMedia.All"]),
    ] {
        std::fs::write(&config, text).expect("a file");
        let words_given = ["emulator", "--config", config.to_str().expect("Unicode")];
        let ca = folder.path().join("ca.pem");
        let more = ["--listen", "127.0.0.1:0", "--ca-file", ca.to_str().expect("Unicode")];
        let given: Vec<&str> = if text.starts_with("listen") {
            words_given.to_vec()
        } else {
            words_given.iter().chain(&more).copied().collect()
        };
        let run = antiphon(&given, &[], None).await;
        run.fails(words);
        assert_eq!(run.out, "", "nothing was announced");
    }
    antiphon(&["emulator", "--config", "no/such.toml"], &[], None).await.fails(&["no/such.toml"]);
    let run = antiphon(&["emulator", "--user", "phone=1"], &[], None).await;
    assert!(run.code == 2 && run.err.contains("name"), "{run:?}");
}

#[tokio::test]
async fn a_wrong_option_is_refused_without_telling_the_secret_in_it() {
    for (flag, value, hint) in [
        ("--app", "secret=hush,typo=x", "typo"),
        ("--app", "secret=a,hush", "name=value"),
        ("--seed-app", "id:hush:Calls.Initiate.All", "ID:SECRET:"),
    ] {
        let run = antiphon(&["emulator", flag, value], &[], None).await;
        run.fails(&[flag, hint]);
        assert!(!run.err.contains("hush") && run.out.is_empty(), "{run:?}");
    }
}
