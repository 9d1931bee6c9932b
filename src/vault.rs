//! What makes a store safe to share: whatever goes in is sealed with the user's key.
//!
//! ```text
//! user's key (32 bytes) ── HKDF-SHA256 ──┬─> naming key:  id    = hex(HMAC-SHA256(name))
//!                                        └─> sealing key: value = version | nonce | ChaCha20-Poly1305(text), with
//!                                                                 version and id as associated data
//! ```
//!
//! So the store holds neither names (which hold access keys) nor tokens; a value moved to another id, changed, or sealed
//! with another key is as good as none. ChaCha20 rather than AES, because a Raspberry Pi has no instructions for AES.
//! Nonces are random: 96 bits are enough for the billions of writes that never come (RFC 8439; NIST SP 800-38D, 8.3).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use futures_util::future::BoxFuture;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::store::{OPERATION_LIMIT, StoreLock, TokenStore};
use crate::{Error, ErrorKind, Result, Secret};

/// How long a store that failed is left alone: a dead one costs its time limit once a second, not once a call.
const DOWN: Duration = Duration::from_secs(1);

/// For stores that do not give up by themselves. Ours need twice [`OPERATION_LIMIT`] at most: a file's turn, then the file.
const NET: Duration = Duration::from_secs(2 * OPERATION_LIMIT.as_secs() + 1);

/// The first byte of a sealed value: how it is sealed.
const VERSION: u8 = 1;

const KEY_BYTES: usize = 32;

/// What the contents of stores are sealed with: 32 secret bytes, which everyone who shares the store has.
///
/// ```
/// use ttn_auth::StoreKey;
/// let text = StoreKey::generate()?; // or: openssl rand -base64 32
/// let key = StoreKey::parse(text.expose())?;
/// assert_eq!(format!("{key:?}"), "StoreKey(<redacted>)");
/// # Ok::<(), ttn_auth::Error>(())
/// ```
#[derive(Clone)]
pub struct StoreKey {
    sealing: LessSafeKey,
    naming: hmac::Key,
}

impl StoreKey {
    /// A key in base64, standard or URL-safe, with or without padding.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not base64 of exactly 32 bytes.
    pub fn parse(text: &str) -> Result<Self> {
        const CONFIG: GeneralPurposeConfig =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let text = text.trim();
        let bytes = [&STANDARD, &URL_SAFE]
            .into_iter()
            .find_map(|alphabet| GeneralPurpose::new(alphabet, CONFIG).decode(text).ok())
            .map(Zeroizing::new)
            .filter(|bytes| bytes.len() == KEY_BYTES)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "the store's key is not base64 of 32 bytes; make one with: openssl rand -base64 32",
                )
            })?;
        // The salt only keeps these keys apart from others that are derived from the same bytes.
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"ttn-auth store").extract(&bytes);
        let internal = |_| Error::new(ErrorKind::Internal, "cannot derive the store's keys");
        let sealing = root.expand(&[b"seal"], &CHACHA20_POLY1305).map_err(internal)?;
        let naming = root.expand(&[b"name"], hmac::HMAC_SHA256).map_err(internal)?;
        Ok(Self { sealing: LessSafeKey::new(UnboundKey::from(sealing)), naming: hmac::Key::from(naming) })
    }

    /// The text of a new key.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no random numbers.
    pub fn generate() -> Result<Secret> {
        let bytes: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(random()?);
        Ok(Secret::new(base64::engine::general_purpose::STANDARD.encode(*bytes)))
    }

    /// The id under which a store knows this name.
    fn id(&self, name: &str) -> String {
        use std::fmt::Write;
        hmac::sign(&self.naming, name.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    fn seal(&self, id: &str, text: &Secret) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed =
            Vec::with_capacity(1 + NONCE_LEN + text.expose().len() + CHACHA20_POLY1305.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text.expose().as_bytes());
        let tag = self
            .sealing
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated(id),
                &mut sealed[1 + NONCE_LEN..],
            )
            .map_err(|_| Error::new(ErrorKind::Internal, "cannot seal a value"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    fn open(&self, id: &str, sealed: Vec<u8>) -> Option<Secret> {
        let mut sealed = Zeroizing::new(sealed);
        let (head, rest) = sealed.split_at_mut_checked(1 + NONCE_LEN)?;
        if head[0] != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(&head[1..]).ok()?;
        let text = self.sealing.open_in_place(nonce, associated(id), rest).ok()?;
        Some(Secret::new(std::str::from_utf8(text).ok()?))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(<redacted>)")
    }
}

fn associated(id: &str) -> Aad<Vec<u8>> {
    Aad::from([&[VERSION], id.as_bytes()].concat())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Error::new(ErrorKind::Internal, "the system has no random numbers")),
    }
}

/// A store behind a key. Names may hold secrets: they are only ever hashed. Clones share it.
///
/// What happens is told as `tracing` events with the target `ttn_auth::store`. A store that failed is left alone for a
/// second: until then, operations fail at once with the same error.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Arc<dyn TokenStore>,
    key: StoreKey,
    down: Mutex<Option<(Instant, Error)>>,
}

/// A text out of a [`Vault`], and how long it is still kept.
#[derive(Clone, Debug)]
pub struct Opened {
    /// As it was written.
    pub text: Secret,
    /// Never longer than it was to be kept.
    pub left: Duration,
}

impl Vault {
    /// Seals with this key what goes into this store.
    pub fn new(store: Arc<dyn TokenStore>, key: StoreKey) -> Self {
        Self(Arc::new(Inner { store, key, down: Mutex::default() }))
    }

    /// The text by this name. None too if it was changed or sealed with another key; the next [`write`](Self::write)
    /// replaces it then.
    ///
    /// # Errors
    /// What the store gives, or what it gave less than a second ago.
    pub async fn read(&self, name: &str) -> Result<Option<Opened>> {
        let id = self.0.key.id(name);
        let Some(kept) = self.limited("read", NET, || self.0.store.read(&id)).await? else { return Ok(None) };
        let text = self.0.key.open(&id, kept.value);
        if text.is_none() {
            let error = "a value was changed, or sealed with another key; it is replaced";
            tracing::warn!(target: "ttn_auth::store", operation = "open", outcome = ErrorKind::Protocol.code(), error);
        }
        Ok(text.map(|text| Opened { text, left: kept.left }))
    }

    /// Keeps a text by this name for a time.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn write(&self, name: &str, text: &Secret, keep: Duration) -> Result<()> {
        let id = self.0.key.id(name);
        let value = self.0.key.seal(&id, text)?;
        self.limited("write", NET, || self.0.store.write(&id, value, keep)).await
    }

    /// Forgets what there is by this name.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn remove(&self, name: &str) -> Result<()> {
        let id = self.0.key.id(name);
        self.limited("remove", NET, || self.0.store.remove(&id)).await
    }

    /// The lock of this name, as [`TokenStore::lock`] gives it.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn lock(&self, name: &str, limit: Duration) -> Result<Option<StoreLock>> {
        let id = self.0.key.id(name);
        self.limited("lock", limit.saturating_add(NET), || self.0.store.lock(&id, limit)).await
    }

    async fn limited<'a, T>(
        &self,
        operation: &'static str,
        limit: Duration,
        work: impl FnOnce() -> BoxFuture<'a, Result<T>>,
    ) -> Result<T> {
        let started = Instant::now();
        if let Some((since, error)) = &*self.down()
            && started.saturating_duration_since(*since) < DOWN
        {
            return Err(error.clone());
        }
        let outcome = tokio::time::timeout(limit, work()).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "the token store did not answer in time"))
        });
        let duration_ms = started.elapsed().as_millis() as u64;
        match &outcome {
            Ok(_) => tracing::debug!(target: "ttn_auth::store", operation, outcome = "ok", duration_ms),
            Err(error) => {
                *self.down() = Some((Instant::now(), error.clone()));
                let (outcome, error) = (error.code(), error.message());
                tracing::warn!(target: "ttn_auth::store", operation, outcome, duration_ms, error);
            }
        }
        outcome
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn down(&self) -> MutexGuard<'_, Option<(Instant, Error)>> {
        self.0.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.0.store).finish()
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
