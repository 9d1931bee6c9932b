//! What the Handler has stored: applications and their devices, in memory, and in the journal if there is one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ttn_auth::proto::handler;
use ttn_auth::{AppId, DevId, Error, ErrorKind, Result};

use crate::counts::Counters;
use crate::device;
use crate::journal::{Entry, Journal};

/// An application as it was set, and its devices by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Application {
    pub(crate) settings: handler::Application,
    pub(crate) devices: BTreeMap<String, handler::Device>,
}

/// Applications by id. Ordered, because lists are answered in the order of their ids.
pub(crate) struct Store {
    applications: Mutex<BTreeMap<String, Application>>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
}

impl Store {
    pub(crate) fn new(journal: Arc<Journal>, counters: Arc<Counters>) -> Self {
        Self { applications: Mutex::default(), journal, counters }
    }

    pub(crate) fn lock(&self) -> Applications<'_> {
        let applications = self.applications.lock().unwrap_or_else(PoisonError::into_inner);
        Applications { applications, store: self }
    }
}

/// The store, locked. Not held across an await.
pub(crate) struct Applications<'a> {
    applications: MutexGuard<'a, BTreeMap<String, Application>>,
    store: &'a Store,
}

impl Applications<'_> {
    pub(crate) fn application(&self, app: &AppId) -> Result<&Application> {
        let found = self.applications.get(app.as_str());
        found.ok_or_else(|| not_found(format!("handler:application:{app}")))
    }

    /// The same for the calls about devices, which say more when there is none.
    pub(crate) fn registered(&self, app: &AppId) -> Result<&Application> {
        self.application(app).map_err(|e| prefixed("Application not registered to this Handler", e))
    }

    /// A device, whether or not its application is registered.
    pub(crate) fn device(&self, app: &AppId, dev: &DevId) -> Result<&handler::Device> {
        let devices = self.applications.get(app.as_str()).map(|application| &application.devices);
        devices
            .and_then(|devices| devices.get(dev.as_str()))
            .ok_or_else(|| not_found(format!("handler:device:{app}:{dev}")))
    }

    pub(crate) fn contains(&self, app: &str) -> bool {
        self.applications.contains_key(app)
    }

    /// Adds an application without settings.
    pub(crate) fn register(&mut self, app: &AppId) -> Result<()> {
        if self.contains(app.as_str()) {
            return Err(exists("Application"));
        }
        self.write(Entry::RegisterApplication(handler::ApplicationIdentifier { app_id: app.to_string() }))
    }

    /// Changes an application's settings.
    pub(crate) fn set(&mut self, app: &AppId, settings: handler::Application) -> Result<()> {
        self.application(app)?;
        self.write(Entry::SetApplication(settings))
    }

    pub(crate) fn delete(&mut self, app: &AppId) -> Result<()> {
        self.application(app)?;
        self.write(Entry::DeleteApplication(handler::ApplicationIdentifier { app_id: app.to_string() }))
    }

    /// Adds a device, or changes one.
    pub(crate) fn set_device(&mut self, app: &AppId, sent: handler::Device) -> Result<()> {
        let devices = &self.registered(app)?.devices;
        let stored = devices.get(&sent.dev_id);
        if stored.is_none() && devices.values().any(|other| device::same_euis(other, &sent)) {
            return Err(exists("Device with AppEUI and DevEUI"));
        }
        let device = device::updated(stored, sent);
        self.write(Entry::SetDevice(device.into()))
    }

    /// Adds a device that a sandbox begins with; of two with the same id the last counts.
    pub(crate) fn add_device(&mut self, app: &AppId, device: handler::Device) -> Result<()> {
        self.registered(app)?;
        self.write(Entry::SetDevice(device::updated(None, device).into()))
    }

    pub(crate) fn delete_device(&mut self, app: &AppId, dev: &DevId) -> Result<()> {
        self.registered(app)?;
        self.device(app, dev)?;
        let device = handler::DeviceIdentifier { app_id: app.to_string(), dev_id: dev.to_string() };
        self.write(Entry::DeleteDevice(device))
    }

    /// The uplink would go to the application's MQTT subscribers; there are none here.
    pub(crate) fn simulate_uplink(
        &mut self,
        app: &AppId,
        dev: &DevId,
        uplink: handler::SimulatedUplinkMessage,
    ) -> Result<()> {
        self.device(app, dev)?;
        self.write(Entry::SimulateUplink(uplink))
    }

    /// Everything that changes goes through here: written down first, then done, and acknowledged after that.
    fn write(&mut self, entry: Entry) -> Result<()> {
        self.store.journal.append(&entry)?;
        self.apply(&entry);
        self.store.counters.writes.up();
        Ok(())
    }

    /// What a journal says of them.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::RegisterApplication(app) => {
                let settings = handler::Application { app_id: app.app_id.clone(), ..Default::default() };
                self.applications.insert(app.app_id.clone(), Application { settings, ..Default::default() });
            }
            Entry::SetApplication(settings) => {
                self.applications.entry(settings.app_id.clone()).or_default().settings = settings.clone();
            }
            Entry::DeleteApplication(app) => {
                self.applications.remove(&app.app_id);
            }
            Entry::SetDevice(device) => {
                let application = self.applications.entry(device.app_id.clone()).or_default();
                application.devices.insert(device.dev_id.clone(), handler::Device::clone(device));
            }
            Entry::DeleteDevice(device) => {
                if let Some(application) = self.applications.get_mut(&device.app_id) {
                    application.devices.remove(&device.dev_id);
                }
            }
            _ => {}
        }
    }
}

fn exists(what: &str) -> Error {
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
