//! Tokens whose signature was found good, so that the same one is not computed again at every call.
//!
//! Only genuine tokens get in, so no stranger can fill it. That a signature is good stays true as long as the issuer's key
//! stays the same; that a token's time is now is checked at every call.
//!
//! A token gets in when it comes the second time. Of most of those that come once nothing is ever asked again, and to keep
//! what they claim costs about as much as to read it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};

use crate::{Claims, PublicKey};

/// Half of how many are remembered: 10,000 tokens of the usual 600 bytes take about 10 MB.
const HALF: usize = 5000;

/// Larger tokens are not remembered. One with the ten entities that it may hold takes about 2 KB.
const MAX_SIZE: usize = 4 << 10;

/// What stands for a token. Digests are compared, not tokens: how long that takes tells nothing of a token.
type Id = [u8; 32];

/// A token that was verified, without the token itself: what it claims, and the key that its signature is good by. Whether it is
/// still good, its [`Verifier`](crate::Verifier) tells at once: [`good_for`](crate::Verifier::good_for).
#[derive(Clone, Debug)]
pub struct Known {
    pub(crate) claims: Arc<Claims>,
    /// None of a credential of The Things Stack, which is asked about: of it nothing is remembered elsewhere.
    pub(crate) key: Option<Arc<PublicKey>>,
    /// It came before.
    pub(crate) again: bool,
}

impl Known {
    /// What the token claims.
    pub fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    /// Whether it came before: it comes more than once, so that it is worth to be remembered elsewhere too.
    pub fn is_again(&self) -> bool {
        self.again
    }
}

/// Two generations: when the young one is full it becomes the old one, and the old one is forgotten. What is used moves to
/// the young one. So the most used half stays, and nothing is ever searched for what to drop.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Id, Known>,
    old: HashMap<Id, Known>,
    /// Of those that came once, the begin of the id: another token with the same one only gets in too soon.
    once: HashSet<u64>,
}

/// The id of a token that is small enough to be remembered.
pub(crate) fn id(token: &str) -> Option<Id> {
    (token.len() <= MAX_SIZE).then(|| {
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        id
    })
}

impl Verified {
    pub(crate) fn get(&self, id: &Id) -> Option<Known> {
        let mut generations = self.generations();
        if let Some(known) = generations.young.get(id) {
            return Some(known.clone());
        }
        let known = generations.old.remove(id)?;
        generations.insert(*id, known.clone());
        Some(known)
    }

    /// Keeps a token that was just verified, if it came before; tells whether it did.
    pub(crate) fn add(&self, id: Id, known: &mut Known) {
        let mut generations = self.generations();
        known.again = generations.came_before(&id);
        if known.again {
            generations.insert(id, known.clone());
        }
    }

    pub(crate) fn remove(&self, id: &Id) {
        let mut generations = self.generations();
        generations.young.remove(id);
        generations.old.remove(id);
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn came_before(&mut self, id: &Id) -> bool {
        let begin = id.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if self.once.remove(&begin) {
            return true;
        }
        if self.once.len() >= 2 * HALF {
            self.once.clear();
        }
        self.once.insert(begin);
        false
    }

    fn insert(&mut self, id: Id, known: Known) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    #[test]
    fn it_is_bounded_and_what_is_used_stays() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = Arc::new(PublicKey::from_pem(Algorithm::Es256, &pair.public_key_pem()).unwrap());
        let mut known = Known { claims: Arc::default(), key: Some(key), again: false };
        let (verified, used) = (Verified::default(), id("used").unwrap());
        verified.add(used, &mut known);
        assert!(!known.is_again() && verified.get(&used).is_none(), "it came once");
        verified.add(used, &mut known);
        assert!(known.is_again());
        for n in 0..3 * HALF {
            let one = id(&n.to_string()).unwrap();
            verified.add(one, &mut known);
            assert!(verified.get(&one).is_none(), "{n}");
            verified.add(one, &mut known);
            assert!(verified.get(&one).is_some() && verified.get(&used).is_some(), "{n}");
        }
        assert!(verified.get(&id("0").unwrap()).is_none());
        for n in 0..3 * HALF {
            verified.add(id(&format!("once {n}")).unwrap(), &mut known);
        }
        assert!(verified.get(&used).is_some(), "those that come once push nobody out");
        let generations = verified.generations();
        assert!(generations.young.len() + generations.old.len() <= 2 * HALF);
        assert!(generations.once.len() <= 2 * HALF);
        drop(generations);
        verified.remove(&used);
        assert!(verified.get(&used).is_none());
        assert!(id(&"x".repeat(MAX_SIZE)).is_some() && id(&"x".repeat(MAX_SIZE + 1)).is_none());
    }
}
