//! Patterns of paths, such as `GET /applications/{app_id}/devices`, and whether a path fits one.
//!
//! A guard must not read a path in another way than the router behind it: one takes `/a//b`, `/a/%62` or `/A/b` for
//! `/a/b`, another does not. So only a path that every router reads alike is looked at; any other fits nothing.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::{Error, ErrorKind, Result};

/// A method, if only one is meant, and the segments of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    method: Option<Method>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this.
    Literal(String),
    /// `{name}`: one segment, whatever it is.
    Parameter(String),
    /// `{*name}`: all that follow, at least one.
    Rest,
}

/// How a request fits a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fit<'a> {
    No,
    /// In another letter case, or percent-encoded, which some routers take for the same.
    Nearly,
    /// With these values of its parameters, by name, decoded.
    Fully(Vec<(&'a str, &'a str)>),
}

/// A segment of a request's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given<'p> {
    sent: &'p str,
    decoded: Cow<'p, str>,
}

impl Pattern {
    /// Reads `GET /a/{b}/{*rest}`; without a method, every method fits.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Err(Error::new(ErrorKind::InvalidArgument, format!("the pattern \"{text}\" is not valid: {why}")))
        };
        let (method, path) = match text.split_once(' ') {
            None => (None, text),
            Some((method, path)) => match Method::from_bytes(method.as_bytes()) {
                Ok(known) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => (Some(known), path),
                _ => return wrong("what stands before the blank is no method, such as GET"),
            },
        };
        let Some(path) = path.strip_prefix('/') else { return wrong("a path begins with /") };
        let mut segments = Vec::new();
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        for (index, part) in parts.iter().enumerate() {
            let name = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            segments.push(match name.map(|name| (name.strip_prefix('*'), name)) {
                Some((Some(rest), _)) if is_name(rest) && index + 1 == parts.len() => Segment::Rest,
                Some((Some(_), _)) => return wrong("{*name} stands for the rest of a path, at its end"),
                Some((None, name)) if is_name(name) && !parts[..index].contains(part) => {
                    Segment::Parameter(name.to_owned())
                }
                Some((None, _)) => {
                    return wrong("a name in braces is of letters, digits and _, and occurs once");
                }
                None if part.bytes().all(is_unreserved) && !matches!(*part, "" | "." | "..") => {
                    Segment::Literal((*part).to_owned())
                }
                None => return wrong("a segment is of letters, digits, -, ., _ and ~, or {name}"),
            });
        }
        Ok(Self { method, segments })
    }

    /// Whether a request fits: its method, or none for a gRPC call, whose methods are paths; and its path, taken apart.
    pub(crate) fn fit<'a>(&'a self, method: Option<&Method>, path: &'a [Given<'_>]) -> Fit<'a> {
        let (mut values, mut nearly) = (Vec::new(), false);
        if !self.fits_method(method) {
            return Fit::No;
        }
        let mut path = path.iter();
        for segment in &self.segments {
            match (segment, path.next()) {
                (Segment::Literal(literal), Some(given)) if literal == given.sent => {}
                (Segment::Literal(literal), Some(given)) if literal.eq_ignore_ascii_case(&given.decoded) => {
                    nearly = true;
                }
                (Segment::Parameter(name), Some(given)) => values.push((name.as_str(), &*given.decoded)),
                (Segment::Rest, Some(_)) => path = [].iter(),
                _ => return Fit::No,
            }
        }
        match path.next() {
            Some(_) => Fit::No,
            None if nearly => Fit::Nearly,
            None => Fit::Fully(values),
        }
    }

    /// Whether the first segment is this and nothing else.
    #[cfg(feature = "grpc")]
    pub(crate) fn begins_with(&self, first: &str) -> bool {
        matches!(self.segments.first(), Some(Segment::Literal(literal)) if literal == first)
    }

    fn fits_method(&self, method: Option<&Method>) -> bool {
        match &self.method {
            None => true,
            // Routers answer HEAD by what they have for GET.
            Some(own) => method.is_some_and(|m| m == own || (*m == Method::HEAD && *own == Method::GET)),
        }
    }
}

/// The segments of a path that every router reads alike, or nothing: no empty segment, so no `//` and no `/` at the end;
/// no `.` or `..`; no byte that is not a path's, and none that means something else once it is decoded.
pub(crate) fn segments(path: &str) -> Option<Vec<Given<'_>>> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some(Vec::new());
    }
    path.split('/').map(segment).collect()
}

fn segment(sent: &str) -> Option<Given<'_>> {
    let is_sound = |byte: u8| is_unreserved(byte) || b"!$&'()*+,=:@%".contains(&byte);
    let decoded = percent_decode_str(sent).decode_utf8().ok()?;
    // Whoever decodes a path before it is taken apart would take it apart, or cut it off, at one of these; and a percent
    // sign that is left was none, or is there to be decoded again.
    let is_split = |c: char| c.is_control() || "/\\%;".contains(c);
    let is_plain = sent.bytes().all(is_sound) && !decoded.contains(is_split);
    (is_plain && !matches!(&*decoded, "" | "." | "..")).then_some(Given { sent, decoded })
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
