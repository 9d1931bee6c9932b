//! Tests of events.rs: what is asked for when a stream broke.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn event(id: &str, seconds: i64) -> Event {
    let json = serde_json::json!({ "unique_id": id, "time": at(seconds).to_string() });
    serde_json::from_value(json).unwrap()
}

fn missed(request: StreamEventsRequest) -> Missed {
    Missed { request, since: None, last: None, known: HashSet::new(), order: VecDeque::new() }
}

#[test]
fn another_stream_asks_for_what_was_missed_and_a_little_more() {
    let mut missed = missed(StreamEventsRequest { tail: 7, after: Some(at(1)), ..Default::default() });
    assert_eq!(missed.request(), missed.request);
    assert!(missed.is_new(&event("a", 1000)));
    // Not what was before the first stream.
    assert_eq!((missed.request().tail, missed.request().after), (0, Some(at(1000))));
    assert!(missed.is_new(&event("c", 1003)) && missed.is_new(&event("b", 1002)));
    assert_eq!(missed.request().after, Some(at(1000)));
    assert!(missed.is_new(&event("d", 1100)));
    assert_eq!(missed.request().after, Some(at(1095)));
}

#[test]
fn an_event_comes_once_and_one_without_an_id_always() {
    let mut missed = missed(StreamEventsRequest::default());
    assert!(missed.is_new(&event("a", 1)) && !missed.is_new(&event("a", 1)));
    assert!(missed.is_new(&event("", 1)) && missed.is_new(&event("", 1)));
    for number in 0..KNOWN {
        assert!(missed.is_new(&event(&format!("{number}"), 2)));
    }
    // The oldest one is forgotten, and no more.
    assert_eq!((missed.known.len(), missed.order.len()), (KNOWN, KNOWN));
    assert!(missed.is_new(&event("a", 1)) && !missed.is_new(&event("1", 2)));
}

#[test]
fn events_are_listened_to_on_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let client = Client::builder("grpc://127.0.0.1:1").build().unwrap();
    let mut events = client.events(StreamEventsRequest::default(), EventOptions::default());
    is_send(events.next());
    let options = CallOptions::default();
    is_send(client.stream("/a.B/C", bytes::Bytes::new(), HeaderMap::new(), &options));
    is_send(client.stream_request(http::Request::new(bytes::Bytes::new()), &options));
}
