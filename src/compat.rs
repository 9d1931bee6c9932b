//! How closely a server follows a V2 Handler.

/// What a V2 Handler does that a better server would not. Either way the same callers are let in and kept out, but for what
/// is listed here (wire.md, section 4).
///
/// | | [`None`](Compat::None) | [`V2`](Compat::V2) |
/// |---|---|---|
/// | a signing key that was replaced | is read anew when a signature fails | fails until [`Authenticator::reload`](crate::Authenticator::reload) |
/// | an exchanged token that is refused before its time | is exchanged once more | fails until `expires_in` is over |
/// | how long an exchanged token is kept | the shorter of `expires_in` and the token's own life | `expires_in` minus 60 s |
/// | a token without `exp` | is refused | is good for ever |
/// | the largest token | 64 KiB | 1 MiB |
/// | an empty token beside a key | is refused at once | is refused after the key was exchanged |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compat {
    /// Its faults are repaired.
    #[default]
    None,
    /// As it is, for a stand-in.
    V2,
}
