use super::*;
use std::collections::VecDeque;

use http::HeaderMap;
use http_body_util::BodyExt;
use proptest::prelude::*;

const LIMIT: usize = 64;

/// A body that arrives in these pieces.
struct Pieces(VecDeque<Frame<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

fn pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Body {
    Body::new(Pieces(pieces.into_iter().map(|piece| Frame::data(Bytes::copy_from_slice(piece))).collect()))
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// The future never waits: its body is there.
fn now<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn read(bytes: &[u8], stream: bool) -> Result<First, Status> {
    now(first(pieces([bytes]), LIMIT, stream))
}

fn all(body: Body) -> Result<Bytes, Status> {
    now(body.collect()).map(|all| all.to_bytes())
}

#[test]
fn what_is_no_single_message_is_refused_in_v2s_words() {
    let message = framed(b"abc");
    let large = framed(&[0; LIMIT + 1]);
    let unmarshalling = |why: &str| format!("grpc: error unmarshalling request: {why}");
    for (bytes, code, text) in [
        (&[][..], 13, unmarshalling("unexpected EOF")),
        (&message[..4], 13, unmarshalling("unexpected EOF")),
        (&message[..7], 13, unmarshalling("unexpected EOF")),
        (&[2, 0, 0, 0, 0], 13, unmarshalling("the message's flag is neither 0 nor 1")),
        (&[1, 0, 0, 0, 0], 12, "grpc: Decompressor is not installed for grpc-encoding".to_owned()),
        // Refused by what it says of itself, before it is there.
        (&large[..5], 8, "grpc: received message larger than max (65 vs. 64)".to_owned()),
        (
            &[0, 255, 255, 255, 255],
            8,
            "grpc: received message larger than max (4294967295 vs. 64)".to_owned(),
        ),
        (&[&message[..], &message].concat(), 13, unmarshalling("more than one message")),
        (&[&message[..], b"x"].concat(), 13, unmarshalling("more than one message")),
    ] {
        let status = read(bytes, false).unwrap_err();
        assert_eq!((status.code() as i32, status.message()), (code, &*text), "{bytes:?}");
    }
    assert_eq!(read(&framed(&[0; LIMIT]), false).unwrap().message.len(), LIMIT);
    assert_eq!(read(&framed(b""), false).unwrap().message.len(), 0);
}

#[test]
fn a_second_message_ends_the_body_unless_it_is_a_stream() {
    let message = framed(b"abc");
    for (second, stream, good) in
        [(&message[..], false, false), (b"x", false, false), (b"", false, true), (&message, true, true)]
    {
        let First { message: read, body } =
            now(first(pieces([&message[..], b"", second]), LIMIT, stream)).unwrap();
        assert_eq!(read, &b"abc"[..]);
        match all(body) {
            Ok(all) => assert_eq!((good, all.to_vec()), (true, [&message[..], second].concat())),
            Err(status) => {
                assert!(!good);
                assert_eq!(status.message(), "grpc: error unmarshalling request: more than one message");
            }
        }
    }
}

#[test]
fn trailers_are_handed_on_and_are_no_message() {
    let trailers = || Frame::trailers(HeaderMap::new());
    let data = |bytes: &[u8]| Frame::data(Bytes::copy_from_slice(bytes));
    let whole = Body::new(Pieces(VecDeque::from([data(&framed(b"a")), trailers()])));
    let body = now(first(whole, LIMIT, false)).unwrap().body;
    assert!(now(body.collect()).unwrap().trailers().is_some());
    let early = Body::new(Pieces(VecDeque::from([data(&framed(b"a")[..5]), trailers(), data(b"a")])));
    assert_eq!(now(first(early, LIMIT, false)).unwrap_err().code(), Code::Internal);
}

proptest! {
    /// However a stream is cut into pieces, its first message is read, and all of it is handed on.
    #[test]
    fn a_message_is_read_whatever_pieces_it_comes_in(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..LIMIT), 1..4),
        cuts in prop::collection::vec(1..9usize, 0..40),
    ) {
        let bytes = messages.iter().map(|message| framed(message)).collect::<Vec<_>>().concat();
        let (mut rest, mut parts) = (&bytes[..], Vec::new());
        for cut in cuts {
            let (piece, others) = rest.split_at(cut.min(rest.len()));
            parts.push(piece);
            rest = others;
        }
        parts.push(rest);
        let First { message, body } = now(first(pieces(parts.clone()), LIMIT, true)).unwrap();
        prop_assert_eq!(&message, &messages[0]);
        prop_assert_eq!(all(body).unwrap(), &bytes);
        let alone = now(first(pieces(parts), LIMIT, false)).and_then(|first| all(first.body));
        prop_assert_eq!(alone.is_ok(), messages.len() == 1);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6),
        stream in any::<bool>(),
    ) {
        let whole = parts.concat();
        if let Ok(First { message, body }) = now(first(pieces(parts.iter().map(Vec::as_slice)), LIMIT, stream)) {
            prop_assert_eq!(whole[0], 0);
            prop_assert_eq!(&message, &whole[PREFIX..PREFIX + message.len()]);
            prop_assert!(message.len() <= LIMIT);
            if stream || whole.len() == PREFIX + message.len() {
                prop_assert_eq!(all(body).unwrap(), &whole);
            }
        }
    }
}
