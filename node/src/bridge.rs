//! Rust's way to JavaScript: one threadsafe function for each environment (the main thread, each worker).
//!
//! What crosses is plain data: a JavaScript value that Rust refers to, such as a token function, stays in JavaScript under
//! a number (`kept.rs`). JavaScript answers a question by its number too, by calling `settle` or `fail`; nothing here waits
//! for a return value.
//!
//! The function is weak: it never keeps Node alive, for a call in flight does that. When an environment ends, what waits
//! for it ends in an error, and what is sent to it later goes nowhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use napi::Status;
use napi::bindgen_prelude::{Either3, FnArgs, Function, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use tokio::sync::oneshot;
use ttn_auth::{Error, ErrorKind, Result, Secret};

use crate::error::internal;

/// How long a JavaScript function may take to give a token: as long as a call to an account server may.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How many events may wait for an environment whose thread is busy. More are dropped: they are told to whoever listens,
/// not kept for them.
const MAX_EVENTS: usize = 1000;

/// A value in an event.
pub(crate) type Value = Either3<f64, bool, String>;

/// The fields of an event, by JavaScript's names.
pub(crate) type EventFields = BTreeMap<String, Value>;

/// What is said to JavaScript.
enum Message {
    /// Call the token function of this number, and answer this request.
    Ask { function: u32, request: u32 },
    /// Rust no longer refers to the value of this number.
    Release { number: u32 },
    /// Call the function of this number with this text. Nothing is answered.
    Tell { function: u32, text: Secret },
    /// Publish an event on the channel of this name.
    Event { channel: String, fields: EventFields },
    /// For tests/node/panic.test.mjs.
    #[cfg(feature = "test-panics")]
    Panic,
}

/// The arguments of `receive` in bridge.js: what, the value's number, the request's number, the event's fields.
pub(crate) type Arguments = FnArgs<(String, u32, u32, EventFields)>;

type Receive = ThreadsafeFunction<Message, Unknown<'static>, Arguments, Status, false, true>;

/// What a token function gave.
pub(crate) struct Given {
    pub(crate) token: Secret,
    pub(crate) expires_in: Option<Duration>,
}

/// The way to one environment.
pub(crate) struct Bridge {
    receive: Receive,
    /// Who waits for which answer; none once the environment has ended.
    waiting: Mutex<Option<HashMap<u32, oneshot::Sender<Result<Given>>>>>,
    last_request: AtomicU32,
    events: Arc<AtomicUsize>,
    closed: AtomicBool,
}

thread_local! {
    static BRIDGE: RefCell<Option<Owner>> = const { RefCell::new(None) };
}

/// Every environment that there may still be.
static BRIDGES: Mutex<Vec<Weak<Bridge>>> = Mutex::new(Vec::new());

/// Ends what waits when the environment's thread does.
struct Owner(Arc<Bridge>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Relaxed);
        let waiting = self.0.waiting().take();
        drop(waiting);
    }
}

/// Opens the way to this environment, whose `receive` this is.
pub(crate) fn open(receive: &Function<Arguments, Unknown<'static>>) -> napi::Result<()> {
    let events = Arc::new(AtomicUsize::new(0));
    let told = events.clone();
    let receive = receive
        .build_threadsafe_function::<Message>()
        .weak::<true>()
        .callee_handled::<false>()
        .build_callback(move |context| {
            // A panic here would end the process.
            let arguments = catch_unwind(AssertUnwindSafe(|| context.value.arguments(&told)));
            Ok(arguments.unwrap_or_else(|panic| {
                // Its error is nobody's; only the payload has to go.
                drop(crate::error::panicked(panic));
                FnArgs::from((String::new(), 0, 0, EventFields::new()))
            }))
        })?;
    let bridge = Arc::new(Bridge {
        receive,
        waiting: Mutex::new(Some(HashMap::new())),
        last_request: AtomicU32::new(0),
        events,
        closed: AtomicBool::new(false),
    });
    let mut bridges = BRIDGES.lock().unwrap_or_else(PoisonError::into_inner);
    bridges.retain(|bridge| bridge.strong_count() > 0);
    bridges.push(Arc::downgrade(&bridge));
    drop(bridges);
    let old = BRIDGE.with(|slot| slot.borrow_mut().replace(Owner(bridge)));
    drop(old);
    Ok(())
}

/// Publishes an event in every environment.
pub(crate) fn publish(channel: &str, fields: &EventFields) {
    let bridges: Vec<_> = {
        let bridges = BRIDGES.lock().unwrap_or_else(PoisonError::into_inner);
        bridges.iter().filter_map(Weak::upgrade).collect()
    };
    for bridge in bridges {
        if bridge.events.fetch_add(1, Ordering::Relaxed) >= MAX_EVENTS
            || !bridge.send(Message::Event { channel: channel.to_owned(), fields: fields.clone() })
        {
            bridge.events.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Message {
    fn arguments(self, events: &AtomicUsize) -> Arguments {
        let said = |what: &str, number, request| (what.to_owned(), number, request, EventFields::new());
        FnArgs::from(match self {
            Self::Ask { function, request } => said("ask", function, request),
            Self::Release { number } => said("release", number, 0),
            Self::Tell { function, text } => {
                let text = Either3::C(text.expose().to_owned());
                ("tell".to_owned(), function, 0, EventFields::from([("text".to_owned(), text)]))
            }
            Self::Event { channel, fields } => {
                events.fetch_sub(1, Ordering::Relaxed);
                (channel, 0, 0, fields)
            }
            #[cfg(feature = "test-panics")]
            Self::Panic => panic!("on purpose: message"),
        })
    }
}

impl Bridge {
    /// The way to the environment of this thread.
    pub(crate) fn here() -> Result<Arc<Self>> {
        BRIDGE
            .with(|slot| slot.borrow().as_ref().map(|owner| owner.0.clone()))
            .ok_or_else(|| internal("the addon is used without its index.js"))
    }

    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<u32, oneshot::Sender<Result<Given>>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the message is on its way.
    fn send(&self, message: Message) -> bool {
        if self.closed.load(Ordering::Relaxed) {
            return false;
        }
        let sent = self.receive.call(message, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok;
        if !sent {
            // It ends, and Node counts who goes on calling.
            self.closed.store(true, Ordering::Relaxed);
        }
        sent
    }

    /// Calls a function with a text, and waits for nothing.
    pub(crate) fn tell(&self, function: u32, text: Secret) {
        self.send(Message::Tell { function, text });
    }

    /// Says that a value is not referred to any more.
    pub(crate) fn release(&self, number: u32) {
        self.send(Message::Release { number });
    }

    /// Calls a token function and waits for its answer.
    pub(crate) async fn ask(&self, function: u32) -> Result<Given> {
        let ended = || Error::new(ErrorKind::Cancelled, "the thread of the token source has ended");
        let request = self.last_request.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting().as_mut().ok_or_else(ended)?.insert(request, sender);
        let _waiting = Waiting { bridge: self, request };
        if !self.send(Message::Ask { function, request }) {
            return Err(ended());
        }
        match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(ended())),
            Err(_) => {
                let message = format!("the token source did not answer within {} s", ANSWER_LIMIT.as_secs());
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }

    /// Hands an answer to whoever asked.
    pub(crate) fn answer(&self, request: u32, answer: Result<Given>) {
        let sender = self.waiting().as_mut().and_then(|waiting| waiting.remove(&request));
        if let Some(sender) = sender {
            // Whoever asked may have given up meanwhile.
            let _ = sender.send(answer);
        }
    }
}

/// A question that is forgotten when nobody waits for its answer any more.
struct Waiting<'a> {
    bridge: &'a Bridge,
    request: u32,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let sender = self.bridge.waiting().as_mut().and_then(|waiting| waiting.remove(&self.request));
        drop(sender);
    }
}

/// For tests/node/panic.test.mjs: a message that panics on its way.
#[cfg(feature = "test-panics")]
pub(crate) fn send_panic() {
    if let Ok(bridge) = Bridge::here() {
        bridge.send(Message::Panic);
    }
}
