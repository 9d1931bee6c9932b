//! The servers' calls, whatever carried them: each by its method, with its request as V3's JSON.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::stack::applications;
use crate::stack::caller::{Caller, authenticate};
use crate::stack::counts::StackCounters;
use crate::stack::devices;
use crate::stack::error::Refusal;
use crate::stack::events::Events;
use crate::stack::faults::Faults;
use crate::stack::ids;
use crate::stack::keys;
use crate::stack::mask;
use crate::stack::rate::Limits;
use crate::stack::state::State;
use crate::stack::token::{Now, split};

/// A method of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    AuthInfo,
    CreateApplication,
    GetApplication,
    ListApplications,
    UpdateApplication,
    DeleteApplication,
    RestoreApplication,
    PurgeApplication,
    ListRights,
    CreateKey,
    ListKeys,
    GetKey,
    UpdateKey,
    DeleteKey,
    CreateDevice,
    GetDevice,
    ListDevices,
    UpdateDevice,
    DeleteDevice,
    DeviceByEuis,
    NsGetDevice,
    AsGetDevice,
    AsGetLink,
    StreamEvents,
}

impl Method {
    /// `/ttn.lorawan.v3.<service>/<method>`, without what comes first.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AuthInfo => "EntityAccess/AuthInfo",
            Self::CreateApplication => "ApplicationRegistry/Create",
            Self::GetApplication => "ApplicationRegistry/Get",
            Self::ListApplications => "ApplicationRegistry/List",
            Self::UpdateApplication => "ApplicationRegistry/Update",
            Self::DeleteApplication => "ApplicationRegistry/Delete",
            Self::RestoreApplication => "ApplicationRegistry/Restore",
            Self::PurgeApplication => "ApplicationRegistry/Purge",
            Self::ListRights => "ApplicationAccess/ListRights",
            Self::CreateKey => "ApplicationAccess/CreateAPIKey",
            Self::ListKeys => "ApplicationAccess/ListAPIKeys",
            Self::GetKey => "ApplicationAccess/GetAPIKey",
            Self::UpdateKey => "ApplicationAccess/UpdateAPIKey",
            Self::DeleteKey => "ApplicationAccess/DeleteAPIKey",
            Self::CreateDevice => "EndDeviceRegistry/Create",
            Self::GetDevice => "EndDeviceRegistry/Get",
            Self::ListDevices => "EndDeviceRegistry/List",
            Self::UpdateDevice => "EndDeviceRegistry/Update",
            Self::DeleteDevice => "EndDeviceRegistry/Delete",
            Self::DeviceByEuis => "EndDeviceRegistry/GetIdentifiersForEUIs",
            Self::NsGetDevice => "NsEndDeviceRegistry/Get",
            Self::AsGetDevice => "AsEndDeviceRegistry/Get",
            Self::AsGetLink => "As/GetLink",
            Self::StreamEvents => "Events/Stream",
        }
    }

    /// What is refused before anybody is asked who they are: masks, orders and pages.
    fn check(self, request: &Value) -> Result<(), Refusal> {
        match self {
            Self::GetApplication | Self::UpdateApplication => mask::check(request, &mask::APPLICATION),
            Self::ListApplications => {
                mask::check(request, &mask::APPLICATION)?;
                applications::LIST.check(request)
            }
            Self::GetDevice | Self::UpdateDevice => mask::check(request, &mask::DEVICE),
            Self::ListDevices => {
                mask::check(request, &mask::DEVICE)?;
                devices::LIST.check(request)
            }
            Self::ListKeys => keys::LIST.check(request),
            _ => Ok(()),
        }
    }
}

/// The answer to a call that went well.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The message, as JSON.
    pub(crate) message: Value,
    /// Of a list: how many there are, on all pages.
    pub(crate) total: Option<usize>,
}

impl Default for Answer {
    fn default() -> Self {
        json!({}).into()
    }
}

impl From<Value> for Answer {
    fn from(message: Value) -> Self {
        Self { message, total: None }
    }
}

impl Answer {
    /// A page of a list; the list is absent if it is empty.
    pub(crate) fn list(name: &str, items: Vec<Value>, total: usize) -> Self {
        let message = if items.is_empty() { json!({}) } else { json!({ name: items }) };
        Self { message, total: Some(total) }
    }
}

/// All the servers of a cluster.
pub(crate) struct Service {
    pub(crate) state: Mutex<State>,
    pub(crate) now: Now,
    pub(crate) events: Events,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) counters: Arc<StackCounters>,
}

impl Service {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call against its limit. What counts is the id of what was presented, true or not.
    pub(crate) fn limit(
        &self,
        method: &str,
        authorization: Option<&str>,
    ) -> Option<crate::stack::rate::Standing> {
        let value = authorization.and_then(crate::stack::caller::scheme).map(|(_, value)| value);
        let id = value.and_then(|value| split(value).ok()).map_or("", |token| token.id);
        let standing = self.limits.take(&format!("grpc:method:/ttn.lorawan.v3.{method}:token:{id}"));
        if standing.as_ref().is_some_and(|standing| standing.refusal.is_some()) {
            self.counters.rate_limited.up();
        }
        standing
    }

    /// Who is calling.
    pub(crate) fn caller(&self, authorization: Option<&str>) -> Result<Caller, Refusal> {
        authenticate(&self.state(), authorization, self.now.time())
    }

    /// Carries out a call.
    pub(crate) fn call(
        &self,
        method: Method,
        authorization: Option<&str>,
        request: &Value,
    ) -> Result<Answer, Refusal> {
        self.counters.calls.up();
        method.check(request)?;
        let now = self.now.time();
        let state = &mut *self.state();
        let caller = &authenticate(state, authorization, now)?;
        match method {
            Method::AuthInfo => {
                self.counters.auth_infos.up();
                Ok(caller.info().into())
            }
            Method::CreateApplication => applications::create(state, caller, request, now),
            Method::GetApplication => applications::get(state, caller, request),
            Method::ListApplications => applications::list(state, caller, request),
            Method::UpdateApplication => applications::update(state, caller, request, now),
            Method::DeleteApplication => applications::delete(state, caller, request, now),
            Method::RestoreApplication => applications::restore(state, caller, request),
            Method::PurgeApplication => applications::purge(state, caller, request),
            Method::ListRights => applications::rights(state, caller, request),
            Method::CreateKey => keys::create(state, caller, request, now),
            Method::ListKeys => keys::list(state, caller, request),
            Method::GetKey => keys::get(state, caller, request),
            Method::UpdateKey => keys::update(state, caller, request, now),
            Method::DeleteKey => keys::delete(state, caller, request),
            Method::CreateDevice => devices::create(state, caller, request, now),
            Method::GetDevice => devices::get(state, caller, request),
            Method::ListDevices => devices::list(state, caller, request),
            Method::UpdateDevice => devices::update(state, caller, request, now),
            Method::DeleteDevice => devices::delete(state, caller, request),
            Method::DeviceByEuis => devices::by_euis(state, caller, request),
            Method::NsGetDevice | Method::AsGetDevice => {
                let (app, _) = ids::device_in(request, "GetEndDeviceRequest", "end_device_ids")?;
                devices::elsewhere(state, caller, app, "RIGHT_APPLICATION_DEVICES_READ")
            }
            Method::AsGetLink => {
                let app = ids::application_in(request, "GetApplicationLinkRequest", "application_ids")?;
                devices::elsewhere(state, caller, app, "RIGHT_APPLICATION_LINK")
            }
            // It has no one answer: see `subscribe`.
            Method::StreamEvents => Ok(Answer::default()),
        }
    }
}
