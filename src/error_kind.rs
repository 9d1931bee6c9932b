//! The kinds of errors: for each one stable code, a name, and what to do.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $code:literal $kind:literal $hint:literal,)*) => {
        /// What went wrong. Each kind has one stable [code](ErrorKind::code), the same in Rust, JavaScript and the docs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[$doc])* $name,)* }

        impl ErrorKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[ErrorKind] = &[$(ErrorKind::$name,)*];

            /// The stable code, such as `AUTH_TOKEN_EXPIRED`.
            pub const fn code(self) -> &'static str {
                match self { $(ErrorKind::$name => $code,)* }
            }

            /// The kind's name, such as `token-expired`.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => $kind,)* }
            }

            /// What to do about it.
            pub const fn hint(self) -> &'static str {
                match self { $(ErrorKind::$name => $hint,)* }
            }
        }
    };
}

kinds! {
    /// The text given is not a credential.
    InvalidCredentials "AUTH_INVALID_CREDENTIALS" "invalid-credentials"
        "Copy the bearer token or key again, without anything around it.",
    /// An address, an option, an id or a message is not valid.
    InvalidArgument "AUTH_INVALID_ARGUMENT" "invalid-argument"
        "Correct the value that the message names.",
    /// The call carried no credentials.
    MissingCredentials "AUTH_MISSING_CREDENTIALS" "missing-credentials"
        "Give the client a bearer token, an access key or an API key.",
    /// The bearer token's `exp` is past.
    TokenExpired "AUTH_TOKEN_EXPIRED" "token-expired"
        "Get a new bearer token, or use a key.",
    /// The bearer token's `nbf` lies ahead.
    TokenNotYetValid "AUTH_TOKEN_NOT_YET_VALID" "token-not-yet-valid"
        "Check the clock of the machine that issued the token.",
    /// The bearer token is malformed, or its signature or algorithm is refused.
    InvalidToken "AUTH_INVALID_TOKEN" "invalid-token"
        "Check that the bearer token is complete and was issued for this network.",
    /// The credential names an auth server (`iss`, or what stands before an access key's dot) the server does not know.
    UnknownIssuer "AUTH_UNKNOWN_ISSUER" "unknown-issuer"
        "Check that the credential belongs to this network.",
    /// The access key or API key was refused: wrong, withdrawn, or of another application or network.
    InvalidKey "AUTH_INVALID_KEY" "invalid-key"
        "Copy the key again, and check that it belongs to this application and network.",
    /// The API key of The Things Stack has expired.
    KeyExpired "AUTH_KEY_EXPIRED" "key-expired"
        "Create a new API key in the Console, and give it in place of this one.",
    /// The credential is good, but lacks the right.
    PermissionDenied "AUTH_PERMISSION_DENIED" "permission-denied"
        "Use a credential with the right that the message names, for this application.",
    /// No such application or device.
    NotFound "AUTH_NOT_FOUND" "not-found"
        "Check the ids, and that this Handler serves the application.",
    /// The application or device is there already.
    AlreadyExists "AUTH_ALREADY_EXISTS" "already-exists"
        "Choose another id, or update the one that exists.",
    /// Too many calls; a V2 Handler takes 5 a second per subject and per application.
    RateLimited "AUTH_RATE_LIMITED" "rate-limited"
        "Wait a second, and send fewer calls at once.",
    /// The access key could not be exchanged for a token, because the account server did not answer.
    ExchangeUnavailable "AUTH_EXCHANGE_UNAVAILABLE" "exchange-unavailable"
        "Try again later; the account server cannot be reached.",
    /// The server cannot be reached, or the connection broke.
    Unavailable "AUTH_UNAVAILABLE" "unavailable"
        "Check the address and the network, and try again.",
    /// The time limit ran out.
    Timeout "AUTH_TIMEOUT" "timeout"
        "Try again, or allow more time.",
    /// The caller cancelled the call, or closed the client.
    Cancelled "AUTH_CANCELLED" "cancelled"
        "Nothing to do: the call was cancelled on this side.",
    /// The server has no such method or route, or the transport has none for this call.
    Unimplemented "AUTH_UNIMPLEMENTED" "unimplemented"
        "Check the method or path; some calls exist over gRPC only.",
    /// The server's certificate is not trusted.
    Tls "AUTH_TLS" "tls"
        "Give the server's certificate, or the CA that signed it, as `ca`, and check the host name and the clock.",
    /// Credentials would cross a network in clear.
    InsecureTransport "AUTH_INSECURE_TRANSPORT" "insecure-transport"
        "Use grpcs:// or https://, or allow plaintext explicitly (allow_insecure / allowInsecure).",
    /// The server redirects to another origin; credentials do not follow.
    Redirect "AUTH_REDIRECT" "redirect"
        "Use the address that the server redirects to, if you trust it.",
    /// The answer cannot be understood.
    Protocol "AUTH_PROTOCOL" "protocol"
        "Check that the address is that of the right API, and the port that of the right transport.",
    /// The server failed.
    Server "AUTH_SERVER" "server"
        "The server reports a failure of its own; its log may tell more.",
    /// A defect of this library.
    Internal "AUTH_INTERNAL" "internal"
        "Please report this as a bug.",
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_and_names_are_unique_and_match() {
        let codes: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        for kind in ErrorKind::ALL {
            assert_eq!(kind.code(), format!("AUTH_{}", kind.name().to_uppercase().replace('-', "_")));
            assert!(kind.hint().ends_with('.'));
        }
    }
}
