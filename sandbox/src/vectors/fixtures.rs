//! What a file's `about` says its vectors start from, read out of its prose.
//!
//! `issuer NAME, ES256`; `applications A, B and C registered`; `device D (app_eui X, dev_eui Y) in A`.

use serde_json::json;
use ttn_auth::proto::handler;

use crate::{Algorithm, ISSUER};

/// The state before the first vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixtures {
    /// The account server's id.
    pub issuer: String,
    /// The algorithm that it pins.
    pub algorithm: Algorithm,
    /// The registered applications.
    pub applications: Vec<String>,
    /// The devices.
    pub devices: Vec<FixtureDevice>,
}

/// A device of the fixtures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixtureDevice {
    /// Its application.
    pub app_id: String,
    /// Its id.
    pub dev_id: String,
    /// AppEUI, in hex.
    pub app_eui: String,
    /// DevEUI, in hex.
    pub dev_eui: String,
}

impl Default for Fixtures {
    /// What the first recording started from.
    fn default() -> Self {
        Self {
            issuer: ISSUER.into(),
            algorithm: Algorithm::Es256,
            applications: vec!["test-app".into(), "other-app".into()],
            devices: vec![FixtureDevice {
                app_id: "test-app".into(),
                dev_id: "dev-1".into(),
                app_eui: "70B3D57ED0000001".into(),
                dev_eui: "0000000000000001".into(),
            }],
        }
    }
}

impl Fixtures {
    /// Reads them from a file's `about`. What it does not name is as in the first recording.
    pub fn from_about(about: &str) -> Self {
        let words: Vec<&str> = about.split_whitespace().collect();
        let mut found = Self::default();
        if let Some(name) = after(&words, "issuer") {
            found.issuer = name;
        }
        let pinned = words.iter().find(|word| ["ES256", "RS256"].contains(&bare(word)));
        if pinned.is_some_and(|word| bare(word) == "RS256") {
            found.algorithm = Algorithm::Rs256;
        }
        let applications = applications(&words);
        if !applications.is_empty() {
            found.devices.retain(|device| applications.contains(&device.app_id));
            found.applications = applications;
        }
        let devices = devices(&words);
        if !devices.is_empty() {
            found.devices = devices;
        }
        found
    }

    /// The devices as messages.
    pub(super) fn devices(&self) -> ttn_auth::Result<Vec<handler::Device>> {
        let message = |device: &FixtureDevice| {
            let FixtureDevice { app_id, dev_id, app_eui, dev_eui } = device;
            let lorawan = json!({"app_id": app_id, "dev_id": dev_id, "app_eui": app_eui, "dev_eui": dev_eui});
            let device = json!({"app_id": app_id, "dev_id": dev_id, "lorawan_device": lorawan});
            ttn_auth::from_json(device.to_string().as_bytes())
        };
        self.devices.iter().map(message).collect()
    }
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

fn after(words: &[&str], name: &str) -> Option<String> {
    let at = words.iter().position(|word| bare(word) == name)?;
    words.get(at + 1).map(|word| bare(word).to_owned())
}

/// The ids between `application(s)` and `registered`.
fn applications(words: &[&str]) -> Vec<String> {
    let starts =
        words.iter().enumerate().filter(|(_, word)| matches!(bare(word), "application" | "applications"));
    for (start, _) in starts {
        let rest = &words[start + 1..];
        let end = rest.iter().position(|word| bare(word) == "registered");
        let ids: Vec<String> = rest[..end.unwrap_or(0)]
            .iter()
            .map(|word| bare(word))
            .filter(|word| !matches!(*word, "and" | "are" | "is" | ""))
            .map(str::to_owned)
            .collect();
        if !ids.is_empty() {
            return ids;
        }
    }
    Vec::new()
}

/// `device D (app_eui X, dev_eui Y) in A`, any number of times.
fn devices(words: &[&str]) -> Vec<FixtureDevice> {
    let mut devices = Vec::new();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "device" || **word == "and") {
        if let [id, "(app_eui", app_eui, "dev_eui", dev_eui, "in", app_id, ..] = &words[at + 1..] {
            devices.push(FixtureDevice {
                app_id: bare(app_id).into(),
                dev_id: bare(id).into(),
                app_eui: bare(app_eui).into(),
                dev_eui: bare(dev_eui).into(),
            });
        }
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prose_of_the_first_recording_gives_its_fixtures() {
        let about = "Recorded from a real V2 Handler (issuer ttn-account-v2, ES256). Run them in file order from one \
                     fresh state: applications test-app and other-app registered, device dev-1 (app_eui \
                     70B3D57ED0000001, dev_eui 0000000000000001) in test-app, the rate limit out of the way.";
        assert_eq!(Fixtures::from_about(about), Fixtures::default());
        assert_eq!(Fixtures::from_about(""), Fixtures::default());
    }

    #[test]
    fn other_fixtures_are_read() {
        let about = "From a Handler (issuer acme, RS256): applications a1, b2 and c3 registered, device x-1 (app_eui \
                     AA, dev_eui 01) in a1 and x-2 (app_eui BB, dev_eui 02) in c3.";
        let found = Fixtures::from_about(about);
        assert_eq!((found.issuer.as_str(), found.algorithm), ("acme", Algorithm::Rs256));
        assert_eq!(found.applications, ["a1", "b2", "c3"]);
        let ids: Vec<_> =
            found.devices.iter().map(|d| (&*d.app_id, &*d.dev_id, &*d.app_eui, &*d.dev_eui)).collect();
        assert_eq!(ids, [("a1", "x-1", "AA", "01"), ("c3", "x-2", "BB", "02")]);
        assert_eq!(Fixtures::from_about("application solo registered").devices, []);
    }
}
