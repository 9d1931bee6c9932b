//! What a caller needs to be let in: a rule for each route or method. What no rule names is refused.
//!
//! ```
//! use ttn_auth::{Access, Policy, Right};
//! let policy = Policy::new()
//!     .rule("GET /healthz", Access::Open)?
//!     .rule("GET /me", Access::Authenticated)?
//!     .rule("/applications/{app_id}/{*rest}", Right::Devices)? // every method
//!     .rule("/my.Service/Method", Right::ReadUplink)?; // a gRPC method
//! # Ok::<(), ttn_auth::Error>(())
//! ```
//!
//! Every rule that fits a request counts: a second one can ask for more, and never for less. So their order does not matter,
//! nor which of two routes the router prefers.
//!
//! What a guard and a router could read differently fits no rule: `//`, `.` and `..`, a `/` at the end, a `/` that is
//! percent-encoded, and a name that is percent-encoded or in another letter case. Layers that change a request's path or method belong outside the guard.

use crate::pattern::{Fit, Pattern, segments};
use crate::{AppId, DevId, Error, ErrorKind, Result, Right};

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing. Credentials are not looked at, and stay on the request.
    Open,
    /// Credentials that are good, whatever they allow. An access key is good for one application: it is refused where the
    /// request does not say which.
    Authenticated,
    /// A right on the application that the request is about.
    Right(Right),
}

impl From<Right> for Access {
    fn from(right: Right) -> Self {
        Self::Right(right)
    }
}

/// Rules by route or method. The default has none, so that everything is refused.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    access: Access,
    invalid: &'static str,
}

/// What one request needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Nobody has to be known.
    pub(crate) open: bool,
    /// All of these, on the application.
    pub(crate) rights: Vec<Right>,
    /// The application, if the path names it.
    pub(crate) app: Option<AppId>,
    /// V2's words before what is wrong with an id.
    pub(crate) invalid: &'static str,
}

const INVALID_APPLICATION: &str = "Invalid Application Identifier";
const INVALID_DEVICE: &str = "Invalid Device Identifier";

/// The methods of `handler.ApplicationManager`: name, routes, access, and V2's words for an id that is none. Source: wire.md,
/// sections 5 and 6.
const APPLICATION_MANAGER: [(&str, &[&str], Access, &str); 11] = [
    // Its route, POST /applications, has the id in the body, where a guard of HTTP does not look.
    ("RegisterApplication", &[], SETTINGS, INVALID_APPLICATION),
    ("GetApplication", &["GET /applications/{app_id}"], SETTINGS, "Application Identifier not valid"),
    (
        "SetApplication",
        &["POST /applications/{app_id}", "PUT /applications/{app_id}"],
        SETTINGS,
        "Invalid Application",
    ),
    ("DeleteApplication", &["DELETE /applications/{app_id}"], DELETE, INVALID_APPLICATION),
    ("GetDevice", &["GET /applications/{app_id}/devices/{dev_id}"], DEVICES, INVALID_DEVICE),
    (
        "SetDevice",
        &[
            "POST /applications/{app_id}/devices",
            "POST /applications/{app_id}/devices/{dev_id}",
            "PUT /applications/{app_id}/devices",
            "PUT /applications/{app_id}/devices/{dev_id}",
        ],
        DEVICES,
        "Invalid Device",
    ),
    ("DeleteDevice", &["DELETE /applications/{app_id}/devices/{dev_id}"], DEVICES, INVALID_DEVICE),
    ("GetDevicesForApplication", &["GET /applications/{app_id}/devices"], DEVICES, INVALID_APPLICATION),
    ("DryDownlink", &[], Access::Open, ""),
    ("DryUplink", &[], Access::Open, ""),
    ("SimulateUplink", &[], DEVICES, "Invalid Uplink"),
];

const SETTINGS: Access = Access::Right(Right::Settings);
const DELETE: Access = Access::Right(Right::Delete);
const DEVICES: Access = Access::Right(Right::Devices);

impl Policy {
    /// No rule yet: everything is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// The methods and routes of V2's `handler.ApplicationManager`, each with the right that a V2 Handler asks for; DryUplink
    /// and DryDownlink are open. The route `POST /applications` is left out, because its application is in the body.
    pub fn application_manager() -> Self {
        let rules = APPLICATION_MANAGER.into_iter().flat_map(|(name, routes, access, invalid)| {
            let method = format!("/handler.ApplicationManager/{name}");
            let patterns = routes.iter().map(|route| Pattern::parse(route)).chain([Pattern::parse(&method)]);
            patterns.flatten().map(move |pattern| Rule { pattern, access, invalid }).collect::<Vec<_>>()
        });
        Self { rules: rules.collect() }
    }

    /// Adds a rule for a route such as `GET /applications/{app_id}/devices`, or a gRPC method such as
    /// `/handler.ApplicationManager/GetDevice`.
    ///
    /// Without an HTTP method it is for all of them; `GET` is for `HEAD` too. `{name}` is any one segment, `{*name}` at the end
    /// any number above zero. `{app_id}` is the application that the request is about; this and `{dev_id}` must have
    /// the form of an id, or the request is refused before anyone asks who sent it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the pattern cannot be read.
    pub fn rule(mut self, pattern: &str, access: impl Into<Access>) -> Result<Self> {
        let invalid = if pattern.contains("{dev_id}") { INVALID_DEVICE } else { INVALID_APPLICATION };
        self.rules.push(Rule { pattern: Pattern::parse(pattern)?, access: access.into(), invalid });
        Ok(self)
    }

    /// This right, everywhere below these patterns.
    pub(crate) fn everywhere(right: Right, patterns: &[&str]) -> Self {
        let patterns = patterns.iter().filter_map(|pattern| Pattern::parse(pattern).ok());
        let rule = |pattern| Rule { pattern, access: right.into(), invalid: INVALID_APPLICATION };
        Self { rules: patterns.map(rule).collect() }
    }

    /// What a request needs: one of HTTP with its method, or a gRPC call, which is a path alone.
    ///
    /// # Errors
    /// [`ErrorKind::Unimplemented`] if no rule fits, [`ErrorKind::InvalidArgument`] for an id that is none.
    pub(crate) fn needs(&self, method: Option<&http::Method>, path: &str) -> Result<Needs> {
        let segments = segments(path).ok_or_else(unknown)?;
        let mut needs = None;
        for rule in &self.rules {
            match rule.pattern.fit(method, &segments) {
                Fit::No => {}
                Fit::Nearly => return Err(unknown()),
                Fit::Fully(values) => needs.get_or_insert_with(|| Needs::new(rule)).add(rule, &values)?,
            }
        }
        needs.ok_or_else(unknown)
    }

    /// Whether a rule names a method of this gRPC service.
    #[cfg(feature = "grpc")]
    pub(crate) fn knows_service(&self, service: &str) -> bool {
        self.rules.iter().any(|rule| rule.pattern.begins_with(service))
    }
}

impl Needs {
    fn new(rule: &Rule) -> Self {
        Self { open: true, rights: Vec::new(), app: None, invalid: rule.invalid }
    }

    fn add(&mut self, rule: &Rule, values: &[(&str, &str)]) -> Result<()> {
        let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        if let Some(app) = value("app_id") {
            let app = AppId::new(app).map_err(|error| prefixed(rule.invalid, error))?;
            if self.app.as_ref().is_some_and(|other| *other != app) {
                // Two rules, two applications: nobody can tell which one the router means.
                return Err(unknown());
            }
            self.app = Some(app);
        }
        if let Some(dev) = value("dev_id") {
            DevId::new(dev).map_err(|error| prefixed(rule.invalid, error))?;
        }
        match rule.access {
            Access::Open => {}
            Access::Authenticated => self.open = false,
            Access::Right(right) => {
                self.open = false;
                self.rights.push(right);
            }
        }
        Ok(())
    }
}

/// V2's words before an id's own.
pub(crate) fn prefixed(what: &str, error: Error) -> Error {
    error.map_message(|message| format!("{what}: {message}"))
}

fn unknown() -> Error {
    Error::new(ErrorKind::Unimplemented, "no rule names this route or method").with_grpc_code(12)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
