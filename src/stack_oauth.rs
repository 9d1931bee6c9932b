//! The refresh grant at The Things Stack's OAuth server (v3/wire.md, "OAuth"), which differs from V2's and from RFC 6749:
//! the client stands in the body, a refusal is an error of The Things Stack's form, and a trade ends the refresh token
//! that was traded and the access token with it, at once.

use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use url::form_urlencoded::Serializer;

use crate::account::AccountServer;
use crate::account_answer::{Refreshed, TokenAnswer};
use crate::account_login::{Login, encoded};
use crate::classify::the_things_stacks;
use crate::{Error, ErrorKind, Result, Secret};

impl AccountServer {
    /// `POST /oauth/token` with `grant_type=refresh_token`.
    pub(crate) async fn refresh_at_the_things_stack(&self, refresh_token: &Secret) -> Result<Refreshed> {
        let Login::Client { id, secret } = self.login() else {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "The Things Stack trades a refresh token only with the id and secret of the OAuth client that it was given to",
            ));
        };
        // A form, because JSON is taken with exactly one content type.
        let body = Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", refresh_token.expose())
            .append_pair("client_id", id)
            .append_pair("client_secret", secret.expose())
            .finish();
        let request = self
            .post("/oauth/token")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(body);
        let secrets = [refresh_token, &Secret::new(encoded(secret.expose()))];
        let answer: TokenAnswer = self.send(request, &secrets, refused).await.map_err(|error| match error
            .kind()
        {
            ErrorKind::InvalidToken => error.map_message(|text| {
                format!("The Things Stack refuses the refresh token; sign in again for a new one ({text})")
            }),
            ErrorKind::InvalidArgument => error.map_message(|text| {
                format!("The Things Stack refuses the OAuth client's id or secret ({text})")
            }),
            _ => error,
        })?;
        let refresh_token = answer.refresh_token();
        Ok(Refreshed { expires_in: answer.expires_in(), refresh_token, token: answer.access_token() })
    }
}

/// What is refused: the refresh token, or the client that trades it.
fn refused(_: StatusCode, text: &str) -> ErrorKind {
    match the_things_stacks(text).map(|(_, name)| name) {
        Some("access_token_not_found" | "token" | "no_refresh_token" | "token_expired") => {
            ErrorKind::InvalidToken
        }
        Some(
            "client_not_found"
            | "unauthorized_client"
            | "missing_client_id"
            | "missing_client_secret"
            | "invalid_client_secret"
            | "client_rejected"
            | "client_suspended"
            | "client_not_approved",
        ) => ErrorKind::InvalidArgument,
        _ => ErrorKind::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_of_the_token_or_of_the_client() {
        use ErrorKind::*;
        for (status, text, kind) in [
            (
                404,
                "error:pkg/identityserver/store:access_token_not_found (access token with id `X`)",
                InvalidToken,
            ),
            (400, "error:pkg/oauth:token (invalid token)", InvalidToken),
            (400, "error:pkg/auth:token (invalid token)", InvalidToken),
            (
                400,
                "error:pkg/oauth:no_refresh_token (the provided token is not a refresh token`)",
                InvalidToken,
            ),
            (404, "error:pkg/identityserver/store:client_not_found (client with id `x`)", InvalidArgument),
            (403, "error:pkg/oauth:unauthorized_client (client is not authorized)", InvalidArgument),
            (400, "error:pkg/oauth:missing_client_secret (missing client secret)", InvalidArgument),
            (400, "error:pkg/oauth:missing_grant_type (missing grant type)", Protocol),
            (409, "error:pkg/oauth:parse (request body parsing)", Protocol),
            (404, "Not Found", Protocol),
        ] {
            assert_eq!(refused(StatusCode::from_u16(status).unwrap(), text), kind, "{text}");
        }
    }
}
