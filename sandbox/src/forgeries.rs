//! Forged tokens: what is known of how verifiers were deceived or brought down, for one issuer.
//!
//! One list, for whoever verifies: the core's own types in process, and every kind of server over a socket. All of them
//! must be refused, but for the few of [`Forger::genuine`], which are odd and good.

mod claims;
mod encoding;
mod header;

use serde_json::json;
use ttn_auth::Result;

use crate::{Issuer, SigningKey};
use claims::Claims;

/// A token that must be refused; or, of [`Forger::genuine`], accepted.
#[derive(Clone, Debug)]
pub struct Forgery {
    /// What is tried.
    pub name: String,
    /// The token, which need not be fit for a header.
    pub token: String,
}

/// Makes forgeries.
#[derive(Debug)]
pub struct Forger<'a> {
    issuer: &'a Issuer,
    trap: String,
    list: Vec<Forgery>,
}

impl<'a> Forger<'a> {
    /// Forges tokens of this issuer. Those that name an address to fetch a key from name `trap`
    /// (`http://127.0.0.1:<port>`): whoever connects there has been deceived.
    pub fn new(issuer: &'a Issuer, trap: impl Into<String>) -> Self {
        Self { issuer, trap: trap.into(), list: Vec::new() }
    }

    /// Every forgery.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn forgeries(mut self) -> Result<Vec<Forgery>> {
        self.algorithms()?;
        self.keys_in_headers()?;
        self.odd_headers()?;
        self.claims()?;
        self.times()?;
        self.issuers()?;
        self.signatures()?;
        self.encodings()?;
        self.sizes()?;
        Ok(self.list)
    }

    /// Odd, but what the issuer signed and meant: to be accepted, for every right on the [application](crate::APP_ID).
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn genuine(mut self) -> Result<Vec<Forgery>> {
        let exp = self.now() + 3600;
        // RFC 7519, section 2: a NumericDate may have a fraction, and JSON may write a number in many ways.
        for date in [format!("{exp}.5"), format!("{exp}.0"), format!("{:e}", exp as f64)] {
            self.signed(&format!("exp {date}"), &self.good().set("exp", &date))?;
        }
        self.signed("a name that is escaped", &self.good().rename("iss", "\\u0069ss"))?;
        self.signed("claims that nobody knows", &self.good().add("x", r#"{"y":[null,1.5,"z"]}"#))?;
        self.signed(
            "blanks between the claims",
            &format!(" {} \n", self.good().to_string().replace(',', " ,\t")),
        )?;
        let header = json!({ "alg": self.alg(), "typ": "JWT", "kid": "../../other", "x": {} }).to_string();
        self.with_header("a header that says more", &header, &self.good())?;
        if self.key() == SigningKey::Es256 {
            self.mirrored_signature()?;
        }
        Ok(self.list)
    }

    fn now(&self) -> i64 {
        self.issuer.clock().seconds()
    }

    /// The key that counts.
    fn key(&self) -> SigningKey {
        self.issuer.algorithm().into()
    }

    /// The algorithm that counts.
    fn alg(&self) -> &'static str {
        self.issuer.algorithm().name()
    }

    /// A key of somebody else, for the same algorithm where there is one.
    fn stranger(&self) -> SigningKey {
        SigningKey::Es256Other
    }

    fn header(&self) -> String {
        json!({ "alg": self.alg(), "typ": "JWT" }).to_string()
    }

    /// Claims with which nothing is wrong.
    fn good(&self) -> Claims {
        Claims::new(self.issuer.id(), self.now())
    }

    /// A token with which nothing is wrong.
    fn token(&self) -> Result<String> {
        self.issuer.sign_text(self.key(), &self.header(), &self.good().to_string())
    }

    fn push(&mut self, name: impl Into<String>, token: impl Into<String>) {
        self.list.push(Forgery { name: name.into(), token: token.into() });
    }

    /// Signed by the issuer, so that only what it says is wrong with it.
    fn signed(&mut self, name: &str, claims: &impl ToString) -> Result<()> {
        let header = self.header();
        self.with_header(name, &header, claims)
    }

    fn with_header(&mut self, name: &str, header: &str, claims: &impl ToString) -> Result<()> {
        let token = self.issuer.sign_text(self.key(), header, &claims.to_string())?;
        self.push(name, token);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, ISSUER};
    use std::collections::HashSet;

    #[test]
    fn forgeries_have_names_of_their_own_and_differ() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let issuer = Issuer::new(ISSUER, algorithm).unwrap();
            let mut all = Forger::new(&issuer, "http://127.0.0.1:1").forgeries().unwrap();
            assert!(all.len() > 100, "{}", all.len());
            all.extend(Forger::new(&issuer, "http://127.0.0.1:1").genuine().unwrap());
            let (mut names, mut tokens) = (HashSet::new(), HashSet::new());
            for Forgery { name, token } in &all {
                assert!(names.insert(name), "{name}");
                assert!(tokens.insert(token), "{name}");
            }
        }
    }
}
