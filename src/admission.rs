//! What the guards of HTTP and gRPC servers share: which application a request is about, who sent it, and whether they may.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use crate::policy::Needs;
use crate::{Answers, AppId, Authenticator, Carrier, Claims, Error, ErrorKind, Policy, Presented, Result};

type AppFn = Arc<dyn Fn(&Parts) -> Result<AppId> + Send + Sync>;

/// The parts of a guard. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admission {
    authenticator: Arc<Authenticator>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) answers: Answers,
    app: Option<AppFn>,
}

impl Admission {
    pub(crate) fn new(authenticator: Arc<Authenticator>, policy: Policy) -> Self {
        Self { authenticator, policy: Arc::new(policy), answers: Answers::standard(), app: None }
    }

    pub(crate) fn set_app(&mut self, app: impl Fn(&Parts) -> Result<AppId> + Send + Sync + 'static) {
        self.app = Some(Arc::new(app));
    }

    pub(crate) fn tells_app(&self) -> bool {
        self.app.is_some()
    }

    /// The application that the host's own function names, if there is one and it matters.
    pub(crate) fn app(&self, needs: &Needs, presented: &Presented, parts: &Parts) -> Result<Option<AppId>> {
        match &self.app {
            Some(app) if needs_app(needs, presented) => app(parts).map(Some),
            _ => Ok(None),
        }
    }

    /// Who is calling, if they have every right that is needed.
    pub(crate) async fn admit(
        &self,
        needs: &Needs,
        presented: &Presented,
        app: Option<&AppId>,
    ) -> Result<Arc<Claims>> {
        let result = self.check(needs, presented, app).await;
        if let Err(error) = &result {
            tracing::debug!(target: "ttn_auth::guard", outcome = error.code());
        }
        result
    }

    async fn check(&self, needs: &Needs, presented: &Presented, app: Option<&AppId>) -> Result<Arc<Claims>> {
        if !needs.rights.is_empty() && app.is_none() {
            let message = "the request does not say which application it is about";
            return Err(Error::new(ErrorKind::InvalidArgument, message).with_grpc_code(3));
        }
        let claims = self.authenticator.authenticate(presented, app).await?;
        for right in &needs.rights {
            // Without an application there is no right; the check above has seen to it that there is one.
            app.map_or(Ok(()), |app| claims.require(app, *right))?;
        }
        Ok(claims)
    }
}

/// What an outer guard took off a request, for one inside. Nobody else can read it.
#[derive(Clone)]
struct Taken(Presented);

/// What a request presents. The credential is off it from then on, so that neither handlers nor their logs see it.
pub(crate) fn take(carrier: Carrier, parts: &mut Parts) -> Presented {
    let presented = carrier.extract(&parts.headers);
    if presented == Presented::default() {
        return parts.extensions.get::<Taken>().map(|taken| taken.0.clone()).unwrap_or_default();
    }
    carrier.remove(&mut parts.headers);
    parts.extensions.insert(Taken(presented.clone()));
    presented
}

/// Whether it matters which application a request is about: for a right, and for a key, which is exchanged for one.
pub(crate) fn needs_app(needs: &Needs, presented: &Presented) -> bool {
    let has_token = presented.token.as_ref().is_some_and(|token| !token.expose().is_empty());
    !needs.rights.is_empty() || (!has_token && presented.key.is_some())
}

/// There is no rule for a request. Who runs the server finds out here which one is missing.
pub(crate) fn no_rule(parts: &Parts) {
    tracing::warn!(
        target: "ttn_auth::guard",
        outcome = ErrorKind::Unimplemented.code(),
        method = parts.method.as_str(),
        path = parts.uri.path(),
    );
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.policy)
            .field("answers", &self.answers)
            .finish_non_exhaustive()
    }
}
