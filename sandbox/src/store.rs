//! What the Handler has stored: applications and their devices, in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ttn_auth::proto::handler;
use ttn_auth::{AppId, DevId, Error, ErrorKind, Result};

/// An application as it was set, and its devices by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Application {
    pub(crate) settings: handler::Application,
    pub(crate) devices: BTreeMap<String, handler::Device>,
}

/// Applications by id. Ordered, because lists are answered in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<BTreeMap<String, Application>>);

impl Store {
    pub(crate) fn lock(&self) -> Applications<'_> {
        Applications(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The store, locked. Not held across an await.
pub(crate) struct Applications<'a>(MutexGuard<'a, BTreeMap<String, Application>>);

impl Applications<'_> {
    /// Adds an application without settings.
    pub(crate) fn register(&mut self, app: &AppId) -> Result<()> {
        if self.0.contains_key(app.as_str()) {
            return Err(exists("Application"));
        }
        let settings = handler::Application { app_id: app.to_string(), ..Default::default() };
        self.0.insert(app.to_string(), Application { settings, ..Default::default() });
        Ok(())
    }

    pub(crate) fn application(&mut self, app: &AppId) -> Result<&mut Application> {
        self.0.get_mut(app.as_str()).ok_or_else(|| not_found(format!("handler:application:{app}")))
    }

    /// The same for the calls about devices, which say more when there is none.
    pub(crate) fn registered(&mut self, app: &AppId) -> Result<&mut Application> {
        self.application(app).map_err(|e| prefixed("Application not registered to this Handler", e))
    }

    pub(crate) fn delete(&mut self, app: &AppId) -> Result<()> {
        self.application(app)?;
        self.0.remove(app.as_str());
        Ok(())
    }

    /// A device, whether or not its application is registered.
    pub(crate) fn device(&mut self, app: &AppId, dev: &DevId) -> Result<&mut handler::Device> {
        self.0
            .get_mut(app.as_str())
            .and_then(|application| application.devices.get_mut(dev.as_str()))
            .ok_or_else(|| not_found(format!("handler:device:{app}:{dev}")))
    }

    pub(crate) fn contains(&self, app: &str) -> bool {
        self.0.contains_key(app)
    }
}

pub(crate) fn exists(what: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("{what} already exists")).with_grpc_code(6)
}

/// The keys are those of the Handler's database.
fn not_found(key: String) -> Error {
    Error::new(ErrorKind::NotFound, format!("{key} not found")).with_grpc_code(5)
}

/// The same error with what was being done in front.
pub(crate) fn prefixed(prefix: &str, error: Error) -> Error {
    let code = error.grpc_code().unwrap_or(UNKNOWN);
    Error::new(error.kind(), format!("{prefix}: {}", error.message())).with_grpc_code(code)
}

/// gRPC's code for an error that has none.
pub(crate) const UNKNOWN: i32 = 2;
