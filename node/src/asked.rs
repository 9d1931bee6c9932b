//! What `authenticate` is asked, and what it answers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use napi::bindgen_prelude::{External, ToNapiValue, Unknown};
use napi::{Env, ValueType};
use ttn_auth::{
    Answers, AppId, Authenticator, Carrier, CredentialsKind, Error, Known, Presented, Result, Right,
};

use crate::args::{self, Fields};
use crate::contained::Contained;
use crate::error::{self, invalid, unreadable};
use crate::runtime::runtime;
use crate::seen::Seen;
use crate::{claims, hooks, rule};

/// What `authenticate` is asked.
pub(crate) struct Asked {
    presented: Presented,
    app: Option<String>,
    right: Option<Right>,
}

impl Asked {
    pub(crate) fn read(env: &Env, given: Unknown, options: Option<Unknown>) -> Result<Self> {
        let options = Fields::optional(options, "options")?;
        options.only(&["carrier", "appId", "right"])?;
        let carrier = rule::carrier(options.text("carrier")?.as_deref())?;
        let (app, right) = (options.text("appId")?, rule::right(&options, "right")?);
        Self::new(app, right, || presented(env, given, carrier))
    }

    /// By one header, of the first name that the carrier reads.
    pub(crate) fn plain(
        carrier: Carrier,
        text: String,
        app: Option<String>,
        right: Option<Right>,
    ) -> Result<Self> {
        let name = carrier.names()[0];
        Self::new(app, right, || Ok(carrier.extract_one(&value(carrier, name, text)?)))
    }

    fn new(
        app: Option<String>,
        right: Option<Right>,
        presented: impl FnOnce() -> Result<Presented>,
    ) -> Result<Self> {
        if app.is_none() && right.is_some() {
            return Err(invalid("appId is missing: a right is one on an application"));
        }
        Ok(Self { presented: presented()?, app, right })
    }

    /// Ids first, as a V2 Handler does.
    pub(crate) async fn answer(self, by: Arc<Authenticator>) -> Answer {
        let app = self.app.map(AppId::new).transpose()?;
        let known = by.know(&self.presented, app.as_ref()).await?;
        if let (Some(app), Some(right)) = (&app, self.right) {
            known.claims().require(app, right)?;
        }
        let token = self.presented.token.filter(|token| !token.expose().is_empty());
        let is_token = token.is_some();
        let kind = match token {
            // What is taken of these is The Things Stack's.
            Some(token) if token.expose().starts_with("NNSXS.") => CredentialsKind::ApiKey,
            Some(_) => CredentialsKind::BearerToken,
            None => CredentialsKind::AccessKey,
        };
        Ok((claims::write(kind, known.claims())?, (is_token && known.is_again()).then_some(known)))
    }
}

/// The claims' flat text, and for a token that came before what is remembered of it: most of those that come once never do again.
pub(crate) type Answer = Result<(Vec<u8>, Option<Known>)>;

/// The answer, if there is nothing to wait for. JavaScript waits meanwhile, for a signature as long as the way to the other
/// thread and back takes; seen.js sees to it that it never does so for long. As long as callers are let in: whoever sends forgeries
/// must not keep a server from everything else, so after a refusal it is the other thread that looks, until somebody is let in
/// again.
pub(crate) fn at_once(answer: Pin<&mut impl Future<Output = Answer>>) -> Result<Option<Answer>> {
    let _context = runtime()?.enter();
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(Some(answer)),
        // Whoever polls it next is told.
        Poll::Pending => Ok(None),
    }
}

/// Makes what seen.js gets of an answer.
pub(crate) struct Shown {
    pub(crate) by: Arc<Authenticator>,
    pub(crate) answers: Answers,
    pub(crate) trusting: Arc<AtomicBool>,
}

impl Shown {
    /// The claims' text; for a token that came before a list of it and of what `good_for` is asked with.
    pub(crate) fn to<'e>(self, env: &'e Env, answer: Answer) -> napi::Result<Unknown<'e>> {
        self.trusting.store(answer.is_ok(), Ordering::Relaxed);
        let (text, known) = answer.map_err(|error| error::answered(env, &error, &self.answers))?;
        let text = env.create_string_latin1(text)?;
        let Some(known) = known else { return text.into_unknown(env) };
        let mut shown = env.create_array(2)?;
        shown.set(0, text)?;
        shown.set(1, External::new(Seen(Contained::new((self.by, known)))))?;
        shown.into_unknown(env)
    }
}

fn what(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::GrpcMetadata => "metadata",
        _ => "headers",
    }
}

/// The credentials among headers or metadata of any form.
fn presented(env: &Env, given: Unknown, carrier: Carrier) -> Result<Presented> {
    let what = what(carrier);
    if args::kind(given)? != ValueType::Object {
        return Err(invalid(format!("{what} must be those of a request, such as req.headers")));
    }
    let names = carrier.names().iter().map(|name| (*name).to_owned()).collect();
    let pairs = hooks::presented(env, given, names).map_err(|error| unreadable(what, &error))?;
    extract(
        carrier,
        pairs.into_iter().filter_map(|pair| <[String; 2]>::try_from(pair).ok()).map(<(_, _)>::from),
    )
}

fn extract(carrier: Carrier, pairs: impl IntoIterator<Item = (String, String)>) -> Result<Presented> {
    let mut headers = HeaderMap::new();
    for (name, text) in pairs {
        let value = value(carrier, &name, text)?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(carrier, &name))?, value);
    }
    Ok(carrier.extract(&headers))
}

fn value(carrier: Carrier, name: &str, text: String) -> Result<HeaderValue> {
    let bytes = if text.is_ascii() {
        Some(text.into_bytes())
    } else {
        // A JavaScript string has a header's bytes as U+0000 to U+00FF.
        text.chars().map(|c| u8::try_from(c).ok()).collect()
    };
    bytes
        .and_then(|bytes| HeaderValue::from_maybe_shared(Bytes::from(bytes)).ok())
        .ok_or_else(|| wrong(carrier, name))
}

fn wrong(carrier: Carrier, name: &str) -> Error {
    invalid(format!("{}: the value of {name:?} cannot be that of a header", what(carrier)))
}
