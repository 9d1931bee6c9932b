//! What the account server's answers say of a token's time, which can be wrong in every way that was seen: how long it is
//! valid by `expires_in`, and how long ago it was issued.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// What `expires_in` is in the answer to an exchange, a sign-in and a refresh.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ExpiresIn {
    /// For how long tokens are issued, in seconds.
    #[default]
    True,
    /// It is not there.
    Missing,
    /// A number of seconds: 0, negative, a fraction, anything. What is not finite is `null`.
    Number(f64),
    /// A string, of digits or of anything else.
    Text(String),
}

/// How tokens are handed out.
#[derive(Debug)]
pub(crate) struct Answers(Mutex<Settings>);

#[derive(Debug)]
struct Settings {
    /// How long tokens are valid from when they are issued.
    lifetime: Duration,
    /// What is said of that.
    expires_in: ExpiresIn,
    /// How long ago they were issued.
    age: Duration,
}

impl Answers {
    pub(crate) fn new(lifetime: Duration, expires_in: ExpiresIn, age: Duration) -> Self {
        Self(Mutex::new(Settings { lifetime, expires_in, age }))
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        self.settings().lifetime = lifetime;
    }

    pub(crate) fn set_expires_in(&self, expires_in: ExpiresIn) {
        self.settings().expires_in = expires_in;
    }

    pub(crate) fn set_age(&self, age: Duration) {
        self.settings().age = age;
    }

    /// Claims `iat` and `exp` of a token that is handed out now.
    pub(crate) fn times(&self, now: i64) -> (i64, i64) {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let settings = self.settings();
        let issued = now.saturating_sub(seconds(settings.age));
        (issued, issued.saturating_add(seconds(settings.lifetime)))
    }

    /// The answer with a token.
    pub(crate) fn granted(&self, token: &str) -> Value {
        let mut answer = json!({ "access_token": token });
        let settings = self.settings();
        match &settings.expires_in {
            ExpiresIn::True => answer["expires_in"] = settings.lifetime.as_secs().into(),
            ExpiresIn::Missing => {}
            ExpiresIn::Number(seconds) => answer["expires_in"] = number(*seconds),
            ExpiresIn::Text(text) => answer["expires_in"] = text.as_str().into(),
        }
        answer
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole numbers are written as account servers write them, without a point.
fn number(seconds: f64) -> Value {
    // 2^53: above, not every whole number has its own double.
    if seconds.fract() == 0.0 && seconds.abs() <= 9_007_199_254_740_992.0 {
        #[allow(clippy::cast_possible_truncation)]
        return (seconds as i64).into();
    }
    seconds.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_in_is_what_it_is_set_to() {
        let answers = Answers::new(Duration::from_secs(3600), ExpiresIn::True, Duration::ZERO);
        for (expires_in, json) in [
            (ExpiresIn::True, r#"{"access_token":"t","expires_in":3600}"#),
            (ExpiresIn::Missing, r#"{"access_token":"t"}"#),
            (ExpiresIn::Number(0.0), r#"{"access_token":"t","expires_in":0}"#),
            (ExpiresIn::Number(-5.0), r#"{"access_token":"t","expires_in":-5}"#),
            (ExpiresIn::Number(1.5), r#"{"access_token":"t","expires_in":1.5}"#),
            (ExpiresIn::Number(1e300), r#"{"access_token":"t","expires_in":1e+300}"#),
            (ExpiresIn::Number(f64::NAN), r#"{"access_token":"t","expires_in":null}"#),
            (ExpiresIn::Text("soon".into()), r#"{"access_token":"t","expires_in":"soon"}"#),
        ] {
            answers.set_expires_in(expires_in);
            assert_eq!(answers.granted("t").to_string(), json);
        }
    }

    #[test]
    fn an_old_token_was_issued_and_expires_earlier() {
        let answers = Answers::new(Duration::from_secs(10), ExpiresIn::True, Duration::ZERO);
        assert_eq!(answers.times(1000), (1000, 1010));
        answers.set_age(Duration::from_secs(60));
        assert_eq!(answers.times(1000), (940, 950));
        answers.set_age(Duration::MAX);
        assert!(answers.times(0).1 < 0);
    }
}
