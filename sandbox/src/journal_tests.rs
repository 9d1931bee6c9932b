//! What is written is read again; what a kill cut off is dropped; what is broken is named, and nothing else is touched.

use super::*;
use ttn_auth::proto::{handler::*, lorawan};

/// A file of the test's own, gone when the test ends.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("ttn-auth-journal-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // What an earlier run of the same process id has left.
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn entries(&self) -> Vec<Entry> {
        Journal::open(&self.0).unwrap().1
    }

    fn error(&self) -> Error {
        Journal::open(&self.0).err().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn removed(secret: &str) -> Entry {
    Entry::RemoveAccessKey { secret: secret.into() }
}

fn json(entries: &[Entry]) -> String {
    serde_json::to_string(entries).unwrap()
}

/// A journal with these lines after its first.
fn begun(scratch: &Scratch, lines: &[&str]) {
    let (journal, entries) = Journal::open(&scratch.0).unwrap();
    assert!(entries.is_empty());
    journal.append(&removed("first")).unwrap();
    assert_eq!(scratch.text(), "", "kept back until it is complete");
    journal.begin().unwrap();
    journal.begin().unwrap();
    for line in lines {
        journal.append(&removed(line)).unwrap();
    }
}

fn every_entry() -> Vec<Entry> {
    let random = ring::rand::SystemRandom::new();
    let key = AccessKey {
        secret: "s".into(),
        app_id: "a".into(),
        rights: vec!["devices".into()],
        subject: "me".into(),
    };
    let lorawan =
        lorawan::Device { app_eui: vec![1; 8], app_key: vec![2; 16], f_cnt_up: 7, ..Default::default() };
    let device = Device {
        app_id: "a".into(),
        dev_id: "d".into(),
        lorawan_device: Some(lorawan),
        latitude: 52.37,
        attributes: [("k".to_owned(), "v\n".to_owned())].into(),
        ..Default::default()
    };
    let uplink =
        SimulatedUplinkMessage { app_id: "a".into(), dev_id: "d".into(), payload: vec![0, 255], port: 3 };
    let app = ApplicationIdentifier { app_id: "a".into() };
    vec![
        Entry::Identity { certificate: "c".into(), key: "k".into() },
        Entry::SigningKeys(WrittenKeys::fresh(&random).unwrap()),
        Entry::RevokeTokens {},
        Entry::RevokeToken { digest: "00".into() },
        Entry::AddAccessKey(key),
        removed("s"),
        Entry::Refresh { issued: "r".into(), used: None },
        Entry::Refresh { issued: "r2".into(), used: Some("r".into()) },
        Entry::RegisterApplication(app.clone()),
        Entry::SetApplication(Application { app_id: "a".into(), decoder: "x".into(), ..Default::default() }),
        Entry::SetDevice(device.into()),
        Entry::DeleteDevice(DeviceIdentifier { app_id: "a".into(), dev_id: "d".into() }),
        Entry::SimulateUplink(uplink),
        Entry::DeleteApplication(app),
    ]
}

#[test]
fn every_entry_is_one_line_and_reads_as_it_was_written() {
    let scratch = Scratch::new("every");
    let entries = every_entry();
    let (journal, _) = Journal::open(&scratch.0).unwrap();
    journal.append(&entries[0]).unwrap();
    journal.begin().unwrap();
    for entry in &entries[1..] {
        journal.append(entry).unwrap();
    }
    assert_eq!(scratch.text().lines().count(), entries.len());
    assert_eq!(json(&scratch.entries()), json(&entries));
    for line in [
        r#"{"set_device":{"app_id":"a","dev_id":"d","lorawan_device":{"app_eui":"0101010101010101","#,
        r#"{"simulate_uplink":{"app_id":"a","dev_id":"d","payload":"AP8=","port":3}}"#,
    ] {
        assert!(scratch.text().contains(line), "{}", scratch.text());
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it_whatever_it_was_before() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("mode");
    let mode = || std::fs::metadata(&scratch.0).unwrap().permissions().mode() & 0o777;
    begun(&scratch, &[]);
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&scratch.0, PermissionsExt::from_mode(0o644)).unwrap();
    scratch.entries();
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_line_that_was_cut_off_anywhere_is_dropped_and_the_next_one_is_whole() {
    let scratch = Scratch::new("cut");
    begun(&scratch, &["a", "b"]);
    let text = scratch.text();
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    for cut in 0..=text.len() {
        scratch.write(&text[..cut]);
        let (journal, entries) = Journal::open(&scratch.0).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(entries.len(), whole, "cut at {cut}");
        journal.append(&removed("next")).unwrap();
        journal.begin().unwrap();
        assert_eq!(scratch.entries().len(), whole + 1, "cut at {cut}");
        assert!(scratch.text().ends_with('\n'));
    }
}

#[test]
fn a_broken_line_before_the_last_is_named_without_what_is_in_it() {
    let scratch = Scratch::new("broken");
    begun(&scratch, &["a", "b"]);
    let text = scratch.text();
    for (broken, line) in [
        (text.replacen(r#"{"remove_access_key":{"secret":"a"}}"#, "hunter2", 1), 2),
        (text.replacen(r#"{"secret":"b"}"#, r#"{"hunter2":"b"}"#, 1), 3),
        (text.replacen("\n", "\n\n", 1), 2),
        (text.replacen(r#"[{"remove"#, r#"[{"hunter2"#, 1), 1),
        (format!("{text}{text}"), 4),
    ] {
        scratch.write(&broken);
        let error = scratch.error();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.message(), format!("line {line} of the journal is broken"));
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(scratch.text(), broken, "left as it was");
    }
}

#[test]
fn what_is_not_a_journal_is_left_alone() {
    let scratch = Scratch::new("other");
    for text in ["my thesis", "{}", "{}\n", "\n", "{\"set_device\":{}}\n", "{\"start\";"] {
        scratch.write(text);
        let error = scratch.error();
        assert!(error.message().contains("is not one; it was left as it is"), "{text:?}: {error}");
        assert_eq!(scratch.text(), text);
    }
    let folder = Journal::open(&std::env::temp_dir()).err().unwrap();
    assert!(folder.message().starts_with("the journal cannot be opened: "), "{folder}");
}

#[test]
fn after_the_end_nothing_is_written() {
    let scratch = Scratch::new("closed");
    begun(&scratch, &[]);
    let (journal, _) = Journal::open(&scratch.0).unwrap();
    journal.close();
    let text = scratch.text();
    let error = journal.append(&removed("late")).unwrap_err();
    assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::Server, Some(13)));
    assert!(error.message().contains("the sandbox is stopped"), "{error}");
    assert_eq!(scratch.text(), text);

    Journal::none().close();
    Journal::none().append(&removed("x")).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_that_cannot_be_written_is_an_error_and_so_is_every_later_one() {
    // Always full.
    let file = File::options().append(true).open("/dev/full").unwrap();
    let journal = Journal(Mutex::new(State::Open(file)));
    for why in ["No space left", "failed before"] {
        let error = journal.append(&removed("x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.message().contains(why), "{error}");
    }
}
