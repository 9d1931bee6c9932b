//! The journal: what a sandbox was told, one line of JSON for each, in the order it was told. A sandbox that was killed is
//! started again with it, and goes on where it was.
//!
//! A line is written before what it says is acknowledged, so that nothing acknowledged is lost when the process is killed.
//! Nothing waits for the disk: what the system has taken survives the process, but not a power cut. The first line holds
//! all that a new sandbox begins with, so a start that was cut off is no start at all.
//!
//! One sandbox at a time may have a journal. Its mode is 0600, because it holds what a sandbox knows: signing keys, its
//! certificate's key, access keys, refresh tokens. They are a stand-in's, and worth nothing elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use ttn_auth::proto::handler;
use ttn_auth::{Error, ErrorKind, Result};

use crate::grants::AccessKey;
use crate::signing::WrittenKeys;

/// How every journal begins.
const HEAD: &[u8] = br#"{"start":"#;

/// One thing that a sandbox was told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The first line: what a new sandbox begins with.
    Start(Vec<Entry>),
    /// Its certificate, as PEM.
    Identity {
        certificate: String,
        key: String,
    },
    SigningKeys(WrittenKeys),
    RevokeTokens {},
    /// The SHA-256 of the token, in hex.
    RevokeToken {
        digest: String,
    },
    AddAccessKey(AccessKey),
    /// Without the issuer in front.
    RemoveAccessKey {
        secret: String,
    },
    /// A refresh token that was given out, and the one it replaces.
    Refresh {
        issued: String,
        used: Option<String>,
    },
    RegisterApplication(handler::ApplicationIdentifier),
    SetApplication(handler::Application),
    DeleteApplication(handler::ApplicationIdentifier),
    /// The whole device as it is stored, not only what was sent.
    SetDevice(Box<handler::Device>),
    DeleteDevice(handler::DeviceIdentifier),
    SimulateUplink(handler::SimulatedUplinkMessage),
}

/// Where entries go.
pub(crate) struct Journal(Mutex<State>);

enum State {
    /// Nowhere: the sandbox lives in memory.
    None,
    /// Kept back until the first line is complete.
    Beginning {
        file: File,
        entries: Vec<serde_json::Value>,
    },
    Open(File),
    /// The sandbox was stopped, or a line could not be written; what is there ends with a whole line or half a one.
    Closed(&'static str),
}

impl Journal {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self(Mutex::new(State::None))
    }

    /// Opens a journal, or makes one, and tells what it says. A new one says nothing, and is told how the sandbox begins,
    /// up to [`begin`](Self::begin).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it cannot be opened, is not a journal, or has a broken line before its last.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Entry>)> {
        let mut file = open(path).map_err(|e| invalid(format!("the journal cannot be opened: {e}")))?;
        let mut text = Vec::new();
        let read = file.read_to_end(&mut text);
        read.map_err(|e| invalid(format!("the journal cannot be read: {e}")))?;
        let (whole, entries) = parse(&text)?;
        // What a kill has cut off was never acknowledged, and the next line must not be glued to it.
        let cut = file.set_len(whole as u64);
        cut.map_err(|e| invalid(format!("the journal cannot be written: {e}")))?;
        let state = match entries.is_empty() {
            true => State::Beginning { file, entries: Vec::new() },
            false => State::Open(file),
        };
        Ok((Self(Mutex::new(state)), entries))
    }

    /// Writes the first line, if it is not there yet.
    pub(crate) fn begin(&self) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match std::mem::replace(&mut *state, State::Closed("could not be begun")) {
            State::Beginning { mut file, entries } => {
                write(&mut file, &serde_json::json!({ "start": entries }))?;
                State::Open(file)
            }
            other => other,
        };
        Ok(())
    }

    /// Writes one line. What it says has happened only when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Server`] (gRPC code 13) if it cannot be written. After that nothing can: a half line in the middle
    /// would break the whole journal.
    pub(crate) fn append(&self, entry: &Entry) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::None => Ok(()),
            State::Beginning { entries, .. } => {
                entries.push(serde_json::to_value(entry).map_err(|e| failed(e.to_string()))?);
                Ok(())
            }
            State::Open(file) => {
                let written = write(file, entry);
                if written.is_err() {
                    *state = State::Closed("failed before");
                }
                written
            }
            State::Closed(why) => Err(failed((*why).to_owned())),
        }
    }

    /// Nothing more is written: the file may be another sandbox's now.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::None) {
            *state = State::Closed("the sandbox is stopped");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    // One that was there already may have another mode.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// One call of the system for the whole line.
fn write(file: &mut File, entry: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(entry).map_err(|e| failed(e.to_string()))?;
    line.push(b'\n');
    file.write_all(&line).map_err(|e| failed(e.to_string()))
}

/// The entries, and how many bytes their lines have, without a last one that was cut off.
fn parse(text: &[u8]) -> Result<(usize, Vec<Entry>)> {
    // Looked at first: a file that only happens to have no line must not be taken for a journal's cut-off one.
    let head = text.len().min(HEAD.len());
    if text[..head] != HEAD[..head] {
        return Err(invalid(
            "the file that is given as the journal is not one; it was left as it is".to_owned(),
        ));
    }
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut entries = Vec::new();
    for (index, line) in text[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        // serde's message would repeat what is in the line, which may be a key.
        match serde_json::from_slice(line) {
            Ok(Entry::Start(first)) if index == 0 => entries = first,
            Ok(entry) if index > 0 && !matches!(entry, Entry::Start(_)) => entries.push(entry),
            _ => return Err(invalid(format!("line {} of the journal is broken", index + 1))),
        }
    }
    Ok((whole, entries))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

fn failed(why: String) -> Error {
    Error::new(ErrorKind::Server, format!("the sandbox's journal cannot be written: {why}"))
        .with_grpc_code(13)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
