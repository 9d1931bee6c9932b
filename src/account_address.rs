//! Where an account server is, and who asks there: V2's configuration has both in one address, `https://id:secret@host`.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::account_login::Login;
use crate::{Error, ErrorKind, Result, Secret};

/// The address without anything secret in it, and who asks there if it says so.
pub(crate) fn split(address: &str) -> Result<(Url, Login)> {
    let wrong = |what: &str| {
        let message = format!("the account server's address is not valid: {what}");
        Error::new(ErrorKind::InvalidArgument, message)
    };
    let mut base = Url::parse(address.trim()).map_err(|_| wrong("expected https://host"))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(wrong("its scheme is neither http nor https"));
    }
    base.set_query(None);
    base.set_fragment(None);
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    let login = match (base.username(), base.password()) {
        ("", None) => Login::Nobody,
        ("", _) | (_, None) => {
            return Err(wrong("before the @ it needs a client id and its secret: id:secret@"));
        }
        (id, Some(secret)) => {
            let text =
                |text| percent_decode_str(text).decode_utf8().map_err(|_| wrong("the client before the @"));
            Login::Client { id: text(id)?.into_owned(), secret: Secret::new(text(secret)?) }
        }
    };
    // Neither fails for http and https.
    let _ = base.set_username("");
    let _ = base.set_password(None);
    Ok((base, login))
}
