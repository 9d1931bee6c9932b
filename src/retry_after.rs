//! How long a server wants to be left alone: `Retry-After` (RFC 9110, section 10.2.3), seconds or a date; at The Things
//! Stack, which has none, `x-rate-limit-retry`, seconds (v3/wire.md, "Errors"), over both transports.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

const AVAILABLE: HeaderName = HeaderName::from_static("x-rate-limit-available");
const RETRY: HeaderName = HeaderName::from_static("x-rate-limit-retry");

/// How long the server wants to be left alone. A date is read against the answer's own `Date`, because the local clock
/// may be off; without one it is not read at all.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let Some(text) = headers.get(RETRY_AFTER) else { return rate_limit(headers) };
    let text = text.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// It rounds down to whole seconds: 0 is less than one.
fn rate_limit(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if number(AVAILABLE)? > 0 {
        return None;
    }
    number(RETRY).map(|seconds| Duration::from_secs(seconds.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(text: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(value) = text.parse() {
            headers.insert(RETRY_AFTER, value);
        }
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let date = Some("Tue, 24 Nov 2026 12:00:00 GMT");
        for (text, date, expected) in [
            ("120", None, Some(120)),
            (" 5 ", None, Some(5)),
            ("0", None, Some(0)),
            ("-5", None, None),
            ("soon", date, None),
            ("Tue, 24 Nov 2026 12:00:30 GMT", date, Some(30)),
            ("Tue, 24 Nov 2026 11:00:00 GMT", date, Some(0)),
            ("Tue, 24 Nov 2026 12:00:30 GMT", None, None),
            ("99999999999999999999", None, None),
        ] {
            assert_eq!(read(&headers(text, date)).map(|wait| wait.as_secs()), expected, "{text} {date:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}") {
            let _ = read(&headers(&text, Some("Tue, 24 Nov 2026 12:00:00 GMT")));
        }
    }

    #[test]
    fn the_things_stacks_rate_limit_counts_only_when_it_is_used_up() {
        for (available, retry, expected) in [
            (Some("0"), Some("0"), Some(1)),
            (Some("0"), Some("59"), Some(60)),
            (Some("3"), Some("0"), None),
            (Some("0"), None, None),
            (None, Some("5"), None),
            (Some("0"), Some("-1"), None),
            (Some("x"), Some("5"), None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(AVAILABLE, available), (RETRY, retry)] {
                headers.extend(value.map(|value| (name, value.parse().unwrap())));
            }
            assert_eq!(read(&headers), expected.map(Duration::from_secs), "{available:?} {retry:?}");
            headers.insert(RETRY_AFTER, "7".parse().unwrap());
            assert_eq!(read(&headers), Some(Duration::from_secs(7)));
        }
    }
}
