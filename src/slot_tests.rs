use super::*;
use crate::Lifetime;

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A token obtained at `start`, due at 5 s, dead at 10 s.
fn token(start: Instant, text: &str) -> AccessToken {
    AccessToken::new(text).unwrap().with_lifetime(Some(Lifetime::resumed(start, s(0.0), s(5.0), s(10.0))))
}

fn down() -> Error {
    Error::new(ErrorKind::ExchangeUnavailable, "down")
}

fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Use(_) => "use",
        Decision::UseAndRefresh(_) => "use and refresh",
        Decision::Fail(_) => "fail",
        Decision::Load => "load",
    }
}

#[test]
fn the_decision_is_a_table() {
    let start = Instant::now();
    // What happened and when (seconds), then what is decided and when.
    type Row<'a> = (&'a [(&'a str, f64)], &'a [(f64, &'a str)]);
    let table: &[Row] = &[
        (&[], &[(0.0, "load")]),
        (
            &[("token", 0.0)],
            &[(0.0, "use"), (4.9, "use"), (5.0, "use and refresh"), (9.9, "use and refresh"), (10.0, "load")],
        ),
        // Failed with nothing to use: at once the same error, for a second.
        (&[("down", 0.0)], &[(0.0, "fail"), (0.9, "fail"), (1.0, "load")]),
        (&[("down", 0.0), ("down", 1.0)], &[(1.9, "fail"), (2.0, "load")]),
        (&[("down", 0.0), ("down", 1.0), ("down", 2.0)], &[(3.9, "fail"), (4.0, "load")]),
        (&[("down", 0.0), ("down", 100.0)], &[(131.9, "fail"), (132.0, "load")]),
        (&[("refused", 0.0)], &[(59.9, "fail"), (60.0, "load")]),
        // Failed with a token in hand: it is used, and tried again before it ends.
        (&[("token", 0.0), ("down", 5.0)], &[(5.6, "use"), (5.63, "use and refresh"), (10.0, "load")]),
        (&[("token", 0.0), ("refused", 6.0)], &[(6.4, "use"), (6.5, "use and refresh")]),
        (&[("token", 0.0), ("down", 9.9)], &[(9.94, "use"), (9.96, "use and refresh"), (10.1, "load")]),
        (&[("token", 0.0), ("down", 5.0), ("token", 6.0)], &[(6.0, "use and refresh")]),
    ];
    for (events, decisions) in table {
        let mut slot = Slot::default();
        for (event, at) in *events {
            let outcome = match *event {
                "token" => Ok(token(start, "t")),
                "down" => Err(down()),
                _ => Err(Error::new(ErrorKind::InvalidKey, "no")),
            };
            let _ = slot.record(start + s(*at), outcome, 0.0);
        }
        for (at, expected) in *decisions {
            assert_eq!(name(&slot.decide(start + s(*at))), *expected, "{events:?} at {at} s");
        }
    }
}

#[test]
fn a_failure_tells_when_the_next_attempt_is() {
    let start = Instant::now();
    let mut slot = Slot::default();
    let (outcome, attempt) = slot.record(start, Err(down()), 0.0);
    let error = outcome.unwrap_err();
    assert_eq!((error.retry_after(), error.is_unsent(), attempt), (Some(s(1.0)), true, 1));
    let Decision::Fail(error) = slot.decide(start + s(0.25)) else { panic!("decides otherwise") };
    assert_eq!((error.retry_after(), error.is_unsent()), (Some(s(0.75)), true));
    assert_eq!(slot.record(start + s(1.0), Err(down()), 0.0).1, 2);
    assert_eq!(slot.record(start + s(2.0), Ok(token(start, "t")), 0.0).1, 3);
    assert_eq!(slot.record(start + s(3.0), Err(down()), 0.0).1, 1, "a success ends the row");
}

#[test]
fn waits_are_spread_and_bounded() {
    for (lasted, left, chance, expected) in [
        (0.0, None, 0.0, 1.0),
        (0.0, None, 1.0, 0.5),
        (8.0, None, 0.5, 6.0),
        (1e6, None, 0.0, 32.0),
        (1e6, Some(40.0), 0.0, 5.0),
        (0.0, Some(8.0), 0.0, 1.0),
        (0.0, Some(2.0), 0.0, 0.25),
        (0.0, Some(0.001), 1.0, 0.05),
    ] {
        assert_eq!(
            back_off(&down(), s(lasted), left.map(s), chance),
            s(expected),
            "{lasted} {left:?} {chance}"
        );
    }
    // What the account server asks for, if that is not too long.
    let asked = |seconds| down().with_retry_after(s(seconds));
    assert_eq!(back_off(&asked(10.0), s(0.0), None, 0.0), s(10.0));
    assert_eq!(back_off(&asked(1e6), s(0.0), None, 0.0), WAIT_PERMANENT);
    assert_eq!(back_off(&asked(1e6), s(0.0), Some(s(20.0)), 0.0), s(2.5));
}

#[test]
fn only_what_passes_by_itself_is_tried_again_soon() {
    for kind in ErrorKind::ALL {
        use ErrorKind::*;
        let permanent = matches!(
            kind,
            InvalidCredentials
                | InvalidArgument
                | MissingCredentials
                | TokenExpired
                | TokenNotYetValid
                | InvalidToken
                | UnknownIssuer
                | InvalidKey
                | KeyExpired
                | PermissionDenied
                | NotFound
                | AlreadyExists
                | Unimplemented
                | Tls
                | InsecureTransport
                | Redirect
        );
        assert_eq!(passes(&Error::new(*kind, "x")), !permanent, "{kind}");
    }
}

#[test]
fn a_refused_token_is_dropped_once_and_only_if_it_is_the_current_one() {
    let start = Instant::now();
    let mut slot = Slot::default();
    assert!(!slot.refuse(start, &token(start, "a")));
    let _ = slot.record(start, Ok(token(start, "a")), 0.0);
    assert!(!slot.refuse(start, &token(start, "older")));
    assert!(slot.refuse(start, &token(start, "a")), "the first refusal counts at once");
    assert!(!slot.refuse(start, &token(start, "a")));
    assert_eq!(name(&slot.decide(start)), "load");
}

#[test]
fn repeated_refusals_are_held_back_and_forgiven() {
    let start = Instant::now();
    let mut slot = Slot::default();
    let mut now = start;
    for hold in [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0] {
        let _ = slot.record(now, Ok(token(now, "t")), 0.0);
        if hold > 0.0 {
            assert!(!slot.refuse(now + s(hold - 0.1), &token(now, "t")), "{hold}");
        }
        now += s(hold);
        assert!(slot.refuse(now, &token(now, "t")), "{hold}");
    }
    // A token that was good for a while ends the row; the next one is held for a second again.
    let _ = slot.record(now, Ok(token(now, "t")), 0.0);
    now += QUIET;
    assert!(slot.refuse(now, &token(now, "t")));
    let _ = slot.record(now, Ok(token(now, "t")), 0.0);
    assert!(!slot.refuse(now + s(0.9), &token(now, "t")));
    assert!(slot.refuse(now + s(1.0), &token(now, "t")));
}

#[test]
fn tokens_that_were_good_are_dropped_as_often_as_they_are_taken_back() {
    let start = Instant::now();
    let mut slot = Slot::default();
    for n in 0..5 {
        let next = token(start, &format!("t{n}"));
        let _ = slot.record(start, Ok(next.clone()), 0.0);
        next.accept();
        assert!(slot.refuse(start, &next), "{n}");
    }
    let _ = slot.record(start, Ok(token(start, "never-good")), 0.0);
    assert!(!slot.refuse(start, &token(start, "never-good")));
}

#[test]
fn two_servers_that_disagree_do_not_use_a_cache_up() {
    let start = Instant::now();
    let mut slot = Slot::default();
    let mut refuse = |at: f64| {
        let next = token(start + s(at), &format!("t{}", at * 1000.0));
        let _ = slot.record(start + s(at), Ok(next.clone()), 0.0);
        next.accept();
        slot.refuse(start + s(at), &next)
    };
    let dropped = (0..30).filter(|n| refuse(f64::from(*n) / 1000.0)).count();
    assert_eq!(dropped, 10);
    assert!(refuse(2.0), "one a second is free again");
}

#[test]
fn a_token_that_was_on_its_way_when_others_were_taken_back_is_not_held() {
    let start = Instant::now();
    let mut slot = Slot::default();
    let first = token(start, "first");
    let _ = slot.record(start, Ok(first.clone()), 0.0);
    first.accept();
    // Asked for at 5 s; at 6 s everything is taken back; it arrives at 7 s.
    assert!(slot.refuse(start + s(6.0), &first));
    let overtaken = token(start + s(5.0), "overtaken");
    let _ = slot.record(start + s(7.0), Ok(overtaken.clone()), 0.0);
    assert!(slot.refuse(start + s(7.0), &overtaken));
    let next = token(start + s(7.0), "next");
    let _ = slot.record(start + s(7.0), Ok(next.clone()), 0.0);
    assert!(!slot.refuse(start + s(7.0), &next));
}

#[test]
fn a_token_of_unknown_life_is_used_until_it_is_refused() {
    let start = Instant::now();
    let mut slot = Slot::default();
    let opaque = AccessToken::new("opaque").unwrap();
    let _ = slot.record(start, Ok(opaque.clone()), 0.0);
    assert_eq!(name(&slot.decide(start + s(1e6))), "use");
    assert!(slot.refuse(start + s(1e6), &opaque));
    assert_eq!(name(&slot.decide(start + s(1e6))), "load");
}
