//! Ids of The Things Stack: `^[a-z0-9](?:[-]?[a-z0-9]){2,}$`, 36 characters at most; a user's may have two.
//! (v3/wire.md, section "Proto", and the server's own validation.)
//!
//! Checked here, so that a bad one fails the same way over both transports and never shapes a path.

use crate::proto::stack::{ApplicationIdentifiers, EndDeviceIdentifiers, OrganizationOrUserIdentifiers};
use crate::{Error, ErrorKind, Result};

const LONGEST: usize = 36;

/// The id in these; `field` is where they are, for the error.
pub(crate) fn application<'a>(ids: Option<&'a ApplicationIdentifiers>, field: &str) -> Result<&'a str> {
    let ids = ids.ok_or_else(|| missing(field))?;
    check(&ids.application_id, "application_id", 3)
}

/// The application's id and the device's.
pub(crate) fn device<'a>(ids: Option<&'a EndDeviceIdentifiers>, field: &str) -> Result<(&'a str, &'a str)> {
    let ids = ids.ok_or_else(|| missing(field))?;
    let application = application(ids.application_ids.as_ref(), &format!("{field}.application_ids"))?;
    Ok((application, check(&ids.device_id, "device_id", 3)?))
}

/// `users` or `organizations`, and which.
pub(crate) fn owner<'a>(
    ids: &'a OrganizationOrUserIdentifiers,
    field: &str,
) -> Result<(&'static str, &'a str)> {
    match (&ids.user_ids, &ids.organization_ids) {
        (Some(user), None) => Ok(("users", check(&user.user_id, "user_id", 2)?)),
        (None, Some(organization)) => {
            Ok(("organizations", check(&organization.organization_id, "organization_id", 3)?))
        }
        _ => {
            let message = format!("{field} has either user_ids or organization_ids");
            Err(Error::new(ErrorKind::InvalidArgument, message))
        }
    }
}

pub(crate) fn missing(field: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{field} is missing"))
}

fn check<'a>(id: &'a str, field: &str, shortest: usize) -> Result<&'a str> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = id.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    let good = ends.iter().all(|end| end.is_some_and(|byte| is_letter(*byte)))
        && bytes.len() <= LONGEST
        && bytes.iter().filter(|byte| is_letter(**byte)).count() >= shortest
        && bytes.iter().all(|byte| is_letter(*byte) || *byte == b'-')
        && bytes.windows(2).all(|pair| is_letter(pair[0]) || is_letter(pair[1]));
    if good {
        return Ok(id);
    }
    let message = format!(
        "{field} is not valid: {shortest} to {LONGEST} lower-case letters and digits, with single dashes between them"
    );
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_servers_form() {
        let longest = "a".repeat(36);
        for good in ["abc", "a-b-c", "001", "my-app", &longest] {
            assert_eq!(check(good, "application_id", 3).unwrap(), good);
        }
        assert!(check("ab", "user_id", 2).is_ok());
        let long = "a".repeat(37);
        for bad in
            ["", "ab", "a-b", "-abc", "abc-", "a--bc", "a_bc", "Abc", "a.b.c", "a/b/c", "äbc", "a bc", &long]
        {
            let error = check(bad, "application_id", 3).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad}");
            assert!(error.message().starts_with("application_id is not valid"), "{bad}");
        }
    }
}
