//! The Handler's ApplicationManager: one implementation behind both transports.
//!
//! Every call goes through the same steps in the same order: the ids, who is calling, how often, what they may do, and
//! only then what is stored. The texts are V2's (wire.md, section 5). Who and what are the core's business.

use std::sync::Arc;

use http::HeaderMap;
use ttn_auth::proto::handler::{
    Application, ApplicationIdentifier, Device, DeviceIdentifier, DeviceList, DryDownlinkMessage,
    DryDownlinkResult, DryUplinkMessage, DryUplinkResult, SimulatedUplinkMessage,
};
use ttn_auth::{AppId, Claims, DevId, Presented, Result, Right, Secret};

use crate::counts::Counters;
use crate::device;
use crate::go::unsigned;
use crate::payload;
use crate::rate::Rates;
use crate::store::{Store, prefixed};
use crate::trust::Trust;

/// What comes with a request besides its message.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) presented: Presented,
    /// Metadata `limit` and `offset`, as sent.
    pub(crate) limit: Option<String>,
    pub(crate) offset: Option<String>,
}

impl Call {
    /// What the metadata of a call says.
    pub(crate) fn new(metadata: &HeaderMap) -> Self {
        let text = |name: &str| {
            let value = metadata.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        // Of V2's names alone: a V2 Handler does not look under `authorization`.
        let named = |name: &str| text(name).map(Secret::new);
        let presented = Presented { token: named("token"), key: named("key") };
        Self { presented, limit: text("limit"), offset: text("offset") }
    }
}

/// A page of devices, and how many there are in all.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) list: DeviceList,
    pub(crate) total: usize,
}

pub(crate) struct Handler {
    pub(crate) store: Store,
    pub(crate) trust: Trust,
    pub(crate) rates: Rates,
    pub(crate) counters: Arc<Counters>,
}

impl Handler {
    pub(crate) async fn register_application(
        &self,
        call: &Call,
        request: ApplicationIdentifier,
    ) -> Result<()> {
        let app = app_id("Invalid Application Identifier", request.app_id)?;
        self.authorize(call, &app, Right::Settings).await?;
        self.store.lock().register(&app)
    }

    pub(crate) async fn get_application(
        &self,
        call: &Call,
        request: ApplicationIdentifier,
    ) -> Result<Application> {
        let app = app_id("Application Identifier not valid", request.app_id)?;
        let claims = self.authorize(call, &app, Right::Settings).await?;
        let mut settings = self.store.lock().application(&app)?.settings.clone();
        // A key to join devices with is for those who may add devices. (V2 tells its secret half to the others.)
        if !settings.register_on_join_access_key.is_empty() && !claims.allows(&app, Right::Devices) {
            settings.register_on_join_access_key = "<...>".to_owned();
        }
        Ok(settings)
    }

    pub(crate) async fn set_application(&self, call: &Call, mut request: Application) -> Result<()> {
        let app = app_id("Invalid Application", request.app_id.clone())?;
        let claims = self.authorize(call, &app, Right::Settings).await?;
        let mut store = self.store.lock();
        let stored = &store.application(&app)?.settings;
        let has_functions = [&request.decoder, &request.converter, &request.validator, &request.encoder]
            .iter()
            .any(|function| !function.is_empty());
        if request.payload_format.is_empty() && has_functions {
            request.payload_format = "custom".to_owned();
        }
        if !claims.allows(&app, Right::Devices) {
            request.register_on_join_access_key.clone_from(&stored.register_on_join_access_key);
        }
        store.set(&app, request)
    }

    pub(crate) async fn delete_application(&self, call: &Call, request: ApplicationIdentifier) -> Result<()> {
        let app = app_id("Invalid Application Identifier", request.app_id)?;
        self.authorize(call, &app, Right::Delete).await?;
        self.store.lock().delete(&app)
    }

    pub(crate) async fn get_device(&self, call: &Call, request: DeviceIdentifier) -> Result<Device> {
        let (app, dev) = ids("Invalid Device Identifier", request.app_id, request.dev_id)?;
        self.authorize(call, &app, Right::Devices).await?;
        let store = self.store.lock();
        store.registered(&app)?;
        Ok(device::shown(store.device(&app, &dev)?))
    }

    pub(crate) async fn set_device(&self, call: &Call, request: Device) -> Result<()> {
        let (app, _) = ids("Invalid Device", request.app_id.clone(), request.dev_id.clone())?;
        device::check(&request)?;
        self.authorize(call, &app, Right::Devices).await?;
        self.store.lock().set_device(&app, request)
    }

    pub(crate) async fn delete_device(&self, call: &Call, request: DeviceIdentifier) -> Result<()> {
        let (app, dev) = ids("Invalid Device Identifier", request.app_id, request.dev_id)?;
        self.authorize(call, &app, Right::Devices).await?;
        self.store.lock().delete_device(&app, &dev)
    }

    pub(crate) async fn get_devices(&self, call: &Call, request: ApplicationIdentifier) -> Result<Devices> {
        let app = app_id("Invalid Application Identifier", request.app_id)?;
        self.authorize(call, &app, Right::Devices).await?;
        let store = self.store.lock();
        let devices = &store.registered(&app)?.devices;
        let limit = match unsigned(call.limit.as_deref())? {
            0 => usize::MAX,
            limit => limit,
        };
        let offset = unsigned(call.offset.as_deref())?;
        let page = devices.values().skip(offset).take(limit).map(device::listed).collect();
        Ok(Devices { list: DeviceList { devices: page }, total: devices.len() })
    }

    /// Needs no credential in V2 either.
    pub(crate) fn dry_uplink(&self, request: DryUplinkMessage) -> Result<DryUplinkResult> {
        payload::dry_uplink(request)
    }

    /// Needs no credential in V2 either.
    pub(crate) fn dry_downlink(&self, request: DryDownlinkMessage) -> Result<DryDownlinkResult> {
        payload::dry_downlink(request)
    }

    pub(crate) async fn simulate_uplink(&self, call: &Call, request: SimulatedUplinkMessage) -> Result<()> {
        let (app, dev) = ids("Invalid Uplink", request.app_id.clone(), request.dev_id.clone())?;
        self.authorize(call, &app, Right::Devices).await?;
        self.store.lock().simulate_uplink(&app, &dev, request)
    }

    async fn authorize(&self, call: &Call, app: &AppId, right: Right) -> Result<Arc<Claims>> {
        let claims = self.trust.authenticate(&call.presented, app).await?;
        self.rates.take(&claims.subject, app).await.inspect_err(|_| self.counters.rate_limited.up())?;
        claims.require(app, right)?;
        Ok(claims)
    }
}

fn app_id(what: &str, app: String) -> Result<AppId> {
    AppId::new(app).map_err(|e| prefixed(what, e))
}

fn ids(what: &str, app: String, dev: String) -> Result<(AppId, DevId)> {
    let app = app_id(what, app)?;
    let dev = DevId::new(dev).map_err(|e| prefixed(what, e))?;
    Ok((app, dev))
}
