//! How a token is written: its parts, their base64, the bytes of its signature, and how large it all is.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use ttn_auth::Result;

use super::Forger;
use super::header::encode;
use crate::SigningKey;
use crate::mint::APP_ID;

/// The order of P-256 (SEC 2, section 2.4.2): a signature's numbers lie between it and 0.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// 1 MB, more than any header should have.
const LARGE: usize = 1_000_000;

/// Less than 64 KiB when it is encoded: what a verifier may well look at.
const MEDIUM: usize = 40_000;

impl Forger<'_> {
    /// A good token's signature, changed.
    pub(super) fn signatures(&mut self) -> Result<()> {
        let token = self.token()?;
        let (input, text) = token.rsplit_once('.').unwrap_or_default();
        let good = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let (r, s) = good.split_at(good.len() / 2);
        let mut flipped = good.clone();
        if let Some(last) = flipped.last_mut() {
            *last ^= 1;
        }
        let mut changed: Vec<(&str, Vec<u8>)> = vec![
            ("is cut short", good[..good.len() - 1].to_vec()),
            ("has a zero behind it", [&good[..], &[0]].concat()),
            ("has a zero in front", [&[0], &good[..]].concat()),
            ("is there twice", [&good[..], &good].concat()),
            ("is half of one", r.to_vec()),
            ("has its halves swapped", [s, r].concat()),
            ("has one bit changed", flipped),
            ("is all zeros", vec![0; good.len()]),
            ("is all ones", vec![0xff; good.len()]),
            ("is the number 1", [&vec![0; good.len() - 1][..], &[1]].concat()),
            ("is a kilobyte", [&good[..], &[7; 1000]].concat()),
        ];
        if self.key() == SigningKey::Es256 {
            let zero = [0; 32];
            changed.extend([
                ("has r = 0", [&zero, s].concat()),
                ("has s = 0", [r, &zero].concat()),
                ("has r = n", [&ORDER, s].concat()),
                ("has s = n", [r, &ORDER].concat()),
                // CVE-2022-21449: the signature that Java took for every message.
                ("has r = s = n", [ORDER, ORDER].concat()),
                ("is DER", der(r, s)),
                ("has its numbers in 48 bytes", [&[0; 16][..], r, &[0; 16], s].concat()),
            ]);
        }
        for (name, signature) in changed {
            self.push(format!("a signature that {name}"), format!("{input}.{}", encode(&signature)));
        }
        self.push("a signature of other claims", {
            let other = self.issuer.sign_text(
                self.key(),
                &self.header(),
                &self.good().set("sub", "1").to_string(),
            )?;
            format!("{input}.{}", other.rsplit('.').next().unwrap_or_default())
        });
        Ok(())
    }

    /// (r, n - s) is as good a signature as (r, s), which is why no token may be told by its text.
    pub(super) fn mirrored_signature(&mut self) -> Result<()> {
        let token = self.token()?;
        let (input, text) = token.rsplit_once('.').unwrap_or_default();
        let mut signature = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let mut borrow = 0;
        for (at, of) in ORDER.iter().enumerate().rev() {
            let difference = i16::from(*of) - i16::from(signature[32 + at]) - borrow;
            borrow = i16::from(difference < 0);
            signature[32 + at] = difference.rem_euclid(256).to_le_bytes()[0];
        }
        self.push("a signature with n - s", format!("{input}.{}", encode(&signature)));
        Ok(())
    }

    /// Other texts than the one that base64url without padding has for these bytes (RFC 7515, section 2).
    pub(super) fn encodings(&mut self) -> Result<()> {
        let token = self.fit_to_be_miswritten()?;
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Ok(()) };
        for (part, text) in [("header", header), ("claims", claims), ("signature", signature)] {
            let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
            let middle = text.len() / 2;
            let (start, end) = text.split_at(middle);
            for (name, written) in [
                ("padded", STANDARD.encode(&bytes).replace('+', "-").replace('/', "_")),
                ("padded too much", format!("{text}===")),
                ("of the other alphabet", STANDARD_NO_PAD.encode(&bytes)),
                ("with a blank", format!("{start} {end}")),
                ("with a line break", format!("{start}\r\n{end}")),
                ("with a tab in front", format!("\t{text}")),
                ("with a blank behind", format!("{text} ")),
                ("with a zero byte", format!("{text}\0")),
                ("with other trailing bits", other_trailing_bits(text)),
                ("with a letter more", format!("{text}A")),
                ("with a percent escape", format!("%{:02x}{}", text.as_bytes()[0], &text[1..])),
                ("with a letter of another script", format!("{start}\u{ff21}{end}")),
                ("encoded twice", encode(text.as_bytes())),
                ("empty", String::new()),
            ] {
                if written == text {
                    continue;
                }
                let mut changed = [header, claims, signature];
                changed[match part {
                    "header" => 0,
                    "claims" => 1,
                    _ => 2,
                }] = &written;
                self.push(format!("{part} {name}"), changed.join("."));
                if part != "signature" {
                    // What the issuer signed was the text itself, well encoded or not.
                    let input = changed[..2].join(".");
                    let signed = self.issuer.sign_input(self.key(), &input)?;
                    self.push(format!("{part} {name}, and signed like that"), signed);
                }
            }
        }
        for (name, text) in [
            ("nothing", String::new()),
            ("a dot", ".".into()),
            ("two dots", "..".into()),
            ("three empty parts and one more", "...".into()),
            ("a token and a dot", format!("{token}.")),
            ("a dot and a token", format!(".{token}")),
            ("a token and a part", format!("{token}.{signature}")),
            ("five parts, as of a JWE", format!("{token}.{claims}.{signature}")),
            ("two parts", format!("{header}.{signature}")),
            ("two tokens", format!("{token},{token}")),
            ("a token after its scheme", format!("Bearer {token}")),
            ("a token in quotes", format!("\"{token}\"")),
            ("a token in a token", {
                let header = json!({ "alg": self.alg(), "cty": "JWT" }).to_string();
                self.issuer.sign_text(self.key(), &header, &token)?
            }),
            ("a JWS in JSON", {
                let one = json!({ "protected": header, "signature": signature });
                json!({ "payload": claims, "signatures": [one] }).to_string()
            }),
            ("a token in capitals", token.to_uppercase()),
            ("a token backwards", token.chars().rev().collect()),
            ("half a token", token[..token.len() / 2].to_owned()),
        ] {
            self.push(name, text);
        }
        Ok(())
    }

    /// A good token of which each part has a letter that the other alphabet lacks, and ends in bits that do not count.
    fn fit_to_be_miswritten(&self) -> Result<String> {
        let header = json!({ "alg": self.alg(), "typ": "JWT", "x": "~~~???>>>" });
        for tries in 0.. {
            // One blank more or less changes the length, and with it how many bits are left over.
            let blanks = " ".repeat(tries % 3);
            let claims = self.good().add("x", r#""~~~???>>>""#).to_string() + &blanks;
            let token = self.issuer.sign_text(self.key(), &(header.to_string() + &blanks), &claims)?;
            let fit = |part: &str| part.contains(['-', '_']) && !part.len().is_multiple_of(4);
            if token.split('.').all(fit) {
                return Ok(token);
            }
        }
        self.token()
    }

    /// Large, deep and wide ones: signed, and signed by nobody.
    pub(super) fn sizes(&mut self) -> Result<()> {
        let (good, alg) = (self.good(), self.alg());
        let padded = good.add("pad", &json!("x".repeat(LARGE)).to_string()).to_string();
        self.signed("1 MB", &padded)?;
        let large_header = json!({ "alg": alg, "pad": "x".repeat(LARGE) }).to_string();
        self.with_header("1 MB of header", &large_header, &good)?;
        self.push("1 MB of letters", "A".repeat(LARGE));
        self.push("1 MB of dots", ".".repeat(LARGE));
        self.push(
            "1 MB of signature",
            format!("{}.{}", self.token()?, "A".repeat(LARGE)).replacen("..", ".", 1),
        );
        let deep = |open: &str, close: &str| open.repeat(MEDIUM / open.len()) + "1" + &close.repeat(200);
        for (name, value) in [
            ("arrays", "[".repeat(MEDIUM)),
            ("closed arrays", "[".repeat(MEDIUM / 2) + &"]".repeat(MEDIUM / 2)),
            ("objects", deep(r#"{"a":"#, "}")),
        ] {
            self.signed(&format!("deep {name} as a claim"), &good.add("x", &value))?;
            self.signed(&format!("deep {name} as claims"), &value)?;
            self.with_header(
                &format!("deep {name} in the header"),
                &format!(r#"{{"alg":"{alg}","x":{value}}}"#),
                &good,
            )?;
        }
        // Wide: whoever looks for names that come twice must not compare each with each.
        let names = |n: usize| -> String { (0..n).map(|n| format!(r#""a{n}":[],"#)).collect() };
        let wide = format!(r#"{{{}"{APP_ID}":["devices"],"{APP_ID}":["devices"]}}"#, names(MEDIUM / 12));
        self.signed("wide rights that end in a name given twice", &good.set("apps", &wide))?;
        let same = format!(r#"{{{}"b":[]}}"#, r#""a":[],"#.repeat(MEDIUM / 7));
        self.signed("one name thousands of times", &good.set("apps", &same))?;
        let digits = "1".repeat(MEDIUM);
        self.signed("a number of 40,000 digits", &good.set("exp", &digits))?;
        self.signed("an exponent of 40,000 digits", &good.set("exp", &format!("1e{digits}")))?;
        self.signed("a fraction of 40,000 digits", &good.set("exp", &format!("-1.{digits}")))
    }
}

/// The last letter, with its bits that stand for nothing changed.
fn other_trailing_bits(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = text.split_at(text.len() - 1);
    let value = ALPHABET.iter().position(|letter| last.as_bytes() == [*letter]).unwrap_or_default();
    format!("{start}{}", char::from(ALPHABET[value ^ 1]))
}

/// `SEQUENCE { INTEGER r, INTEGER s }`, as X.509 writes ECDSA signatures.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut bytes: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes.first().is_none_or(|byte| *byte >= 0x80) {
            bytes.insert(0, 0);
        }
        [&[2, bytes.len().to_le_bytes()[0]], &bytes[..]].concat()
    };
    let numbers = [integer(r), integer(s)].concat();
    [&[0x30, numbers.len().to_le_bytes()[0]], &numbers[..]].concat()
}
