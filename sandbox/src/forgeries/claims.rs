//! What the issuer signed, and must not count all the same: claims of the wrong form, given twice, out of time, of
//! another issuer.

use std::fmt;

use serde_json::json;
use ttn_auth::Result;

use super::Forger;
use crate::{APP_ID, APPLICATION_RIGHTS};

/// A JSON object whose values are texts, so that they can be anything, and whose names can come twice.
#[derive(Clone)]
pub(super) struct Claims(Vec<(String, String)>);

impl Claims {
    /// Every right on the application, for an hour.
    pub(super) fn new(issuer: &str, now: i64) -> Self {
        let fields = [
            ("iss", json!(issuer)),
            ("sub", json!("forger")),
            ("iat", json!(now - 5)),
            ("exp", json!(now + 3600)),
            ("scope", json!([format!("apps:{APP_ID}")])),
            ("type", json!("user")),
            ("apps", json!({ APP_ID: APPLICATION_RIGHTS })),
        ];
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect())
    }

    /// The same with this value.
    pub(super) fn set(&self, name: &str, value: &str) -> Self {
        self.without(name).add(name, value)
    }

    /// The same with one more, whether the name is there or not.
    pub(super) fn add(&self, name: &str, value: &str) -> Self {
        let mut fields = self.0.clone();
        fields.push((name.to_owned(), value.to_owned()));
        Self(fields)
    }

    /// The same with one more in front.
    fn prepend(&self, name: &str, value: &str) -> Self {
        let mut fields = self.0.clone();
        fields.insert(0, (name.to_owned(), value.to_owned()));
        Self(fields)
    }

    pub(super) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(other, _)| other != name).cloned().collect())
    }

    /// The same with another name in the place of one.
    pub(super) fn rename(&self, name: &str, other: &str) -> Self {
        let renamed = |found: &String| if found == name { other.to_owned() } else { found.clone() };
        Self(self.0.iter().map(|(found, value)| (renamed(found), value.clone())).collect())
    }

    fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| other == name).map_or("null", |(_, value)| value)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        write!(f, "{{{}}}", fields.join(","))
    }
}

impl Forger<'_> {
    pub(super) fn claims(&mut self) -> Result<()> {
        let good = self.good();
        for text in
            ["[]", "\"iss\"", "1", "null", "true", "", " ", "{", "{}", "[{}]", "NaN", "\u{feff}{}", "\0"]
        {
            self.signed(&format!("the claims are {text:?}"), &text)?;
        }
        self.signed("claims in an array", &format!("[{good}]"))?;
        self.signed("claims and more", &format!("{good}{good}"))?;
        self.signed("claims with a comma too many", &good.to_string().replacen('}', ",}", 2))?;
        self.signed("claims after a byte order mark", &format!("\u{feff}{good}"))?;
        self.signed("claims with a comment", &format!("/**/{good}"))?;
        for name in ["iss", "sub", "exp", "scope", "apps"] {
            // Which of the two counts would be each reader's choice (RFC 7519, section 4).
            self.signed(&format!("{name} twice"), &good.add(name, good.value(name)))?;
            let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            self.signed(&format!("{name} twice, escaped"), &good.add(&escaped, good.value(name)))?;
            self.signed(&format!("{name} twice, null first"), &good.prepend(name, "null"))?;
        }
        let (rights, app) = (json!(APPLICATION_RIGHTS), json!(APP_ID));
        self.signed("an application twice", &good.set("apps", &format!("{{{app}:[],{app}:{rights}}}")))?;
        let escaped = format!("\"\\u{:04x}{}\"", APP_ID.as_bytes()[0], &APP_ID[1..]);
        self.signed(
            "an application twice, escaped",
            &good.set("apps", &format!("{{{app}:[],{escaped}:{rights}}}")),
        )?;
        for kind in ["gateways", "components"] {
            self.signed(&format!("one of {kind} twice"), &good.add(kind, r#"{"x":[],"x":["all"]}"#))?;
        }
        for (name, value) in [
            ("scope", "\"apps:test-app\""),
            ("scope", r#"{"apps:test-app":true}"#),
            ("scope", r#"[["apps:test-app"]]"#),
            ("scope", "[1]"),
            ("apps", r#"["test-app"]"#),
            ("apps", r#"{"test-app":"devices"}"#),
            ("apps", r#"{"test-app":{"devices":true}}"#),
            ("apps", r#"{"test-app":[["devices"]]}"#),
            ("apps", "\"test-app\""),
            ("sub", "7"),
            ("sub", r#"["forger"]"#),
            ("iat", "\"yesterday\""),
            ("iat", "[]"),
        ] {
            self.signed(&format!("{name} is {value}"), &good.set(name, value))?;
        }
        Ok(())
    }

    pub(super) fn times(&mut self) -> Result<()> {
        let good = self.good();
        let soon = (self.now() + 3600).to_string();
        for exp in [
            "\"never\"".to_owned(),
            format!("\"{soon}\""),
            format!("[{soon}]"),
            format!("{{\"$date\":{soon}}}"),
            "true".to_owned(),
            "null".to_owned(),
            "0".to_owned(),
            "-0.0".to_owned(),
            "-1".to_owned(),
            format!("-{soon}"),
            "NaN".to_owned(),
            "-NaN".to_owned(),
            "Infinity".to_owned(),
            "-Infinity".to_owned(),
            format!("0x{:x}", self.now() + 3600),
            format!("0{soon}"),
            format!("+{soon}"),
            format!("{soon}."),
            // 2^63 and -2^63 - 1, 2^64, and what is a number in JSON and in no machine.
            "9223372036854775808".to_owned(),
            "-9223372036854775809".to_owned(),
            "18446744073709551616".to_owned(),
            "9.3e18".to_owned(),
            "1e300".to_owned(),
            "-1e300".to_owned(),
            "1e999".to_owned(),
            "-1e999".to_owned(),
            "1e-300".to_owned(),
            "9".repeat(400),
        ] {
            let shown: String = exp.chars().take(24).collect();
            self.signed(&format!("exp {shown}"), &good.set("exp", &exp))?;
        }
        self.signed("no exp", &good.without("exp"))?;
        for name in ["Exp", "EXP", "exp ", "exp\\u0000"] {
            self.signed(&format!("no exp, but {name:?}"), &good.rename("exp", name))?;
        }
        for nbf in [
            "\"later\"",
            "[]",
            "true",
            "NaN",
            "1e999",
            "9223372036854775808",
            "1e300",
            "9999999999",
            "9999999999.5",
        ] {
            self.signed(&format!("nbf {nbf}"), &good.add("nbf", nbf))?;
        }
        Ok(())
    }

    pub(super) fn issuers(&mut self) -> Result<()> {
        let (good, id) = (self.good(), self.issuer.id().to_owned());
        for iss in [
            json!("nobody"),
            json!(""),
            json!(format!("{id} ")),
            json!(format!(" {id}")),
            json!(id.to_uppercase()),
            json!(format!("{id}\0")),
            json!(format!("../{id}")),
            json!(format!("{id}/../{id}")),
            json!("../../etc/passwd"),
            json!(format!("{id}.json")),
            json!(self.trap.as_str()),
            json!(format!("{}/{id}", self.trap)),
            json!(format!("{id}' OR '1'='1")),
            json!("\u{202e}\r\nSet-Cookie: x"),
            json!("i".repeat(10_000)),
            json!([id.as_str()]),
            json!({ "id": id.as_str() }),
            json!(1),
            json!(null),
            json!(true),
        ] {
            let shown: String = iss.to_string().chars().take(40).collect();
            self.signed(&format!("iss {shown}"), &good.set("iss", &iss.to_string()))?;
        }
        self.signed("no iss", &good.without("iss"))?;
        self.signed("no iss, but ISS", &good.rename("iss", "ISS"))?;
        Ok(())
    }
}
