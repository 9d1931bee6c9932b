//! `{{token ..}}` in a vector: a token minted when the vector runs, and kept out of everything that is printed.

use ttn_auth::Result;

use super::file::Pairs;
use crate::{Issuer, Mint};

const OPEN: &str = "{{token";
const CLOSE: &str = "}}";

/// Replaces every `{{token ..}}` in a text by a fresh token.
///
/// # Errors
/// An unknown kind or argument. A template that is not closed is text.
pub(super) fn expand(issuer: &Issuer, text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        match after.split_once(CLOSE) {
            Some((arguments, after)) if arguments.is_empty() || arguments.starts_with(' ') => {
                out.push_str(&issuer.mint(&Mint::parse(arguments)?)?);
                rest = after;
            }
            _ => {
                out.push_str(OPEN);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The same for the values of a list. Names have no templates.
pub(super) fn expand_values(issuer: &Issuer, pairs: &Pairs) -> Result<Pairs> {
    pairs.iter().map(|(name, value)| Ok((name.clone(), expand(issuer, value)?))).collect()
}

/// The same text without tokens, and of a length to read: what a difference may show.
pub(super) fn redact(text: &str) -> String {
    const LONGEST: usize = 400;
    // Every JWT begins with the base64url of `{"`; The Things Stack's tokens with their type.
    const STARTS: [&str; 6] = ["eyJ", "NNSXS.", "MFRWG.", "OJSWM.", "MF2XI.", "ONZW4."];
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = STARTS.iter().filter_map(|start| rest.find(start)).min() {
        out.push_str(&rest[..at]);
        out.push_str("<token>");
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        rest = rest[at..].trim_start_matches(token);
    }
    out.push_str(rest);
    match out.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}.. ({} bytes)", &out[..end], out.len()),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, ISSUER};

    #[test]
    fn every_template_of_a_text_becomes_a_token_of_its_own() {
        let issuer = Issuer::new(ISSUER, Algorithm::Es256).unwrap();
        let text =
            "Bearer {{token kind=valid}}, Bearer {{token kind=none app=x}}!{{tokens}} {{token kind=valid";
        let out = expand(&issuer, text).unwrap();
        let parts: Vec<&str> = out.split(' ').collect();
        assert!(parts[1].starts_with("eyJ") && parts[1].ends_with(','), "{out}");
        assert!(parts[3].starts_with("eyJ") && parts[3].ends_with(".!{{tokens}}"), "{out}");
        assert_ne!(parts[1].trim_end_matches(','), parts[3]);
        assert!(out.ends_with("{{token kind=valid"));
        assert!(expand(&issuer, "{{token kind=nope}}").is_err());
        assert_eq!(expand(&issuer, "{{token}}").unwrap().split('.').count(), 3);
    }

    #[test]
    fn tokens_are_redacted_before_a_text_is_cut() {
        let token = Issuer::new(ISSUER, Algorithm::Es256).unwrap().mint(&Mint::default()).unwrap();
        let shown = redact(&format!("{}a {token}, {token} b", "é".repeat(390)));
        assert!(!shown.contains("eyJ") && shown.contains("<token>"), "{shown}");
        assert_eq!(redact(&format!("\"{token}\"")), "\"<token>\"");
    }
}
