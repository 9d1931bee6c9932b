//! What a header can ask for: another algorithm, no signature, a key of the forger's own, an extension.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use ttn_auth::{Algorithm, Result};

use super::Forger;
use crate::SigningKey;
use crate::signing::internal;

impl Forger<'_> {
    pub(super) fn algorithms(&mut self) -> Result<()> {
        let (good, id) = (self.good().to_string(), self.alg());
        // No signature, whatever it is called: stripped, or with a good one left behind.
        let genuine = self.token()?;
        let (_, signature) = genuine.rsplit_once('.').unwrap_or_default();
        for none in ["none", "None", "NONE", "nOnE", "", "null", id] {
            let input = input(&json!({ "alg": none, "typ": "JWT" }).to_string(), &good);
            self.push(format!("alg {none:?}, no signature"), format!("{input}."));
            self.push(format!("alg {none:?}, no third part"), input.clone());
            if none != id {
                self.push(format!("alg {none:?}, another's signature"), format!("{input}.{signature}"));
            }
        }
        // The public key as a shared secret, in each form that a library might hand to its HMAC.
        let pem = self.issuer.public_pem();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(&body).unwrap_or_default();
        let secrets: [(&str, &[u8]); 5] = [
            ("the PEM", pem.as_bytes()),
            ("the trimmed PEM", pem.trim_end().as_bytes()),
            ("the PEM's body", body.as_bytes()),
            ("the DER", &der),
            ("nothing", b""),
        ];
        for (name, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            for (what, secret) in secrets {
                let token = hmac_signed(&json!({ "alg": name, "typ": "JWT" }), &good, algorithm, secret);
                self.push(format!("{name} with {what} as secret"), token);
            }
        }
        let claimed =
            hmac_signed(&json!({ "alg": id, "typ": "JWT" }), &good, hmac::HMAC_SHA256, pem.as_bytes());
        self.push(format!("an HMAC that calls itself {id}"), claimed);
        // A key that the issuer has, of the algorithm that it does not tell; called by its name, and by the other.
        let (other, called) = match self.issuer.algorithm() {
            Algorithm::Es256 => (SigningKey::Rs256, "RS256"),
            Algorithm::Rs256 => (SigningKey::Es256, "ES256"),
        };
        for alg in [called, id] {
            let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
            let token = self.issuer.sign_text(other, &header, &good)?;
            self.push(format!("a {called} signature, alg {alg}"), token);
        }
        let stranger = self.issuer.sign_text(self.stranger(), &self.header(), &good)?;
        self.push("a stranger's ES256 signature", stranger);
        self.wrong_curve(&good)
    }

    /// P-384, called by its name and by the issuer's algorithm, its key told along.
    fn wrong_curve(&mut self, good: &str) -> Result<()> {
        let (algorithm, random) = (&ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
        let make = || {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok()?;
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).ok()
        };
        let pair = make().ok_or_else(|| internal("make an ES384 key"))?;
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({ "kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y) });
        for alg in ["ES384", self.alg()] {
            for (told, header) in
                [("", json!({ "alg": alg })), (", with its key", json!({ "alg": alg, "jwk": jwk }))]
            {
                let input = input(&header.to_string(), good);
                let signature =
                    pair.sign(&random, input.as_bytes()).map_err(|_| internal("sign with an ES384 key"))?;
                self.push(
                    format!("a P-384 signature, alg {alg}{told}"),
                    format!("{input}.{}", encode(signature.as_ref())),
                );
            }
        }
        Ok(())
    }

    /// The forger's own key, told in the header in every way that RFC 7515 has; and places to read one from.
    pub(super) fn keys_in_headers(&mut self) -> Result<()> {
        let (good, trap) = (self.good().to_string(), self.trap.clone());
        let pem = self.issuer.pem_of(self.stranger());
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let spki = STANDARD.decode(&der).unwrap_or_default();
        let point = &spki[spki.len().saturating_sub(64)..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk =
            json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "use": "sig", "kid": "1" });
        for (name, fields) in [
            ("jwk", json!({ "jwk": jwk })),
            ("jwk and kid", json!({ "jwk": jwk, "kid": "1" })),
            ("jwk as text", json!({ "jwk": jwk.to_string() })),
            ("jwks", json!({ "jwks": { "keys": [jwk] } })),
            ("jku", json!({ "jku": format!("{trap}/jwks.json"), "kid": "1" })),
            ("x5u", json!({ "x5u": format!("{trap}/cert.pem") })),
            ("x5c", json!({ "x5c": [der.as_str()] })),
            ("x5c with a PEM", json!({ "x5c": [pem.as_str()] })),
            ("x5t", json!({ "x5t": "AAAA", "x5t#S256": "AAAA" })),
            ("pem", json!({ "key": pem.as_str(), "pem": pem.as_str(), "cert": pem.as_str() })),
            ("kid that is a PEM", json!({ "kid": pem.as_str() })),
            ("kid that is an address", json!({ "kid": format!("{trap}/key") })),
            ("kid that is SQL", json!({ "kid": format!("x' UNION SELECT '{der}' -- ") })),
            ("kid that is a command", json!({ "kid": format!("x|curl {trap}") })),
            ("kid that is a list", json!({ "kid": ["1"] })),
        ] {
            // RFC 7515: the header's own alg is the issuer's here, so that nothing but the key is wrong.
            let mut header = json!({ "alg": self.alg(), "typ": "JWT" });
            merge(&mut header, fields);
            let token = self.issuer.sign_text(self.stranger(), &header.to_string(), &good)?;
            self.push(format!("{name} in the header"), token);
        }
        // A file that is empty or known is a known secret.
        for path in [
            "../../../../../../dev/null",
            "/dev/null",
            "file:///dev/null",
            "..\\..\\nul",
            "/proc/self/environ",
        ] {
            for (alg, algorithm) in [("HS256", hmac::HMAC_SHA256), (self.alg(), hmac::HMAC_SHA256)] {
                let token = hmac_signed(&json!({ "alg": alg, "kid": path }), &good, algorithm, b"");
                self.push(format!("kid {path}, alg {alg}"), token);
            }
        }
        Ok(())
    }

    /// Signed by the issuer, so that only the header is wrong.
    pub(super) fn odd_headers(&mut self) -> Result<()> {
        let (good, id) = (self.good(), self.alg());
        for header in [
            // What must be understood, and is not (RFC 7515, section 4.1.11).
            json!({ "alg": id, "crit": ["x"], "x": true }).to_string(),
            json!({ "alg": id, "crit": ["exp"], "exp": 9_999_999_999_i64 }).to_string(),
            json!({ "alg": id, "crit": ["b64"], "b64": false }).to_string(),
            json!({ "alg": id, "crit": [] }).to_string(),
            json!({ "alg": id, "crit": "exp" }).to_string(),
            json!({ "alg": id, "crit": null }).to_string(),
            json!({ "alg": [id] }).to_string(),
            json!({ "alg": { "name": id } }).to_string(),
            json!({ "alg": 256 }).to_string(),
            json!({ "alg": true }).to_string(),
            json!({ "alg": null }).to_string(),
            json!({ "ALG": id }).to_string(),
            json!({ "typ": "JWT" }).to_string(),
            json!({ "alg": format!("{id} ") }).to_string(),
            json!({ "alg": id.to_lowercase() }).to_string(),
            json!({ "alg": format!("{id}\0") }).to_string(),
            json!({ "alg": "ES256K" }).to_string(),
            json!({ "alg": "EdDSA" }).to_string(),
            json!({ "alg": "PS256" }).to_string(),
            json!([{ "alg": id }]).to_string(),
            json!(id).to_string(),
            format!(r#"{{"alg":"none","alg":"{id}"}}"#),
            format!(r#"{{"alg":"{id}","alg":"{id}"}}"#),
            format!(r#"{{"\u0061lg":"none","alg":"{id}"}}"#),
            format!(r#"{{"alg":"{id}"}}{{"alg":"none"}}"#),
            format!(r#"{{"alg":"{id}",}}"#),
            format!("\u{feff}{{\"alg\":\"{id}\"}}"),
            String::new(),
            "{}".to_owned(),
            "null".to_owned(),
        ] {
            self.with_header(&format!("header {header:?}"), &header, &good)?;
        }
        Ok(())
    }
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn input(header: &str, claims: &str) -> String {
    format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()))
}

fn hmac_signed(header: &Value, claims: &str, algorithm: hmac::Algorithm, secret: &[u8]) -> String {
    let input = input(&header.to_string(), claims);
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", encode(tag.as_ref()))
}

fn merge(header: &mut Value, fields: Value) {
    if let (Value::Object(header), Value::Object(fields)) = (header, fields) {
        header.extend(fields);
    }
}
