//! `Client`'s named calls: ApplicationManager's eleven, with V2's documented JSON as plain objects.

use napi::Env;
use napi::bindgen_prelude::{Object, Unknown};
use napi_derive::napi;
use ttn_auth::Page;

use crate::args::{self, Fields};
use crate::client::{Client, call_options};
use crate::flat::ToJavaScript;
use crate::flat_writer;
use crate::outcome::Answer;
use crate::promise::{Call, promise_answer};

impl Client {
    /// One of ApplicationManager's calls.
    fn named<'a>(
        &self,
        env: &'a Env,
        name: &'static str,
        request: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        // The others answer with an empty message, which is nothing to JavaScript.
        let has_answer = name.starts_with("Get") || name.starts_with("Dry");
        let prepare = || {
            let options = Fields::optional(options, "options")?;
            let manager = self.inner.application_manager().with_options(call_options(&options)?);
            let mut page = Page::default();
            if name == "GetDevicesForApplication" {
                (page.limit, page.offset) = (options.count("limit")?, options.count("offset")?);
            }
            let request = args::json(env, request, "the request")?;
            let future = move || async move {
                let answer = manager.call(name, &request, page, ToJavaScript).await?;
                Ok(if has_answer { answer } else { Answer::Flat(flat_writer::nothing()) })
            };
            Ok(Call { future, signal: options.value("signal")? })
        };
        promise_answer(env, prepare)
    }
}

#[napi]
impl Client {
    /// Registers an application with this Handler. Needs the right `settings`.
    #[napi(
        catch_unwind,
        ts_args_type = "application: ApplicationIdentifier, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn register_application<'a>(
        &self,
        env: &'a Env,
        application: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "RegisterApplication", application, options)
    }

    /// An application and its payload functions. Needs the right `settings`.
    #[napi(
        catch_unwind,
        ts_args_type = "application: ApplicationIdentifier, options?: CallOptions",
        ts_return_type = "Promise<Application>"
    )]
    pub fn get_application<'a>(
        &self,
        env: &'a Env,
        application: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "GetApplication", application, options)
    }

    /// Replaces an application's settings. Needs the right `settings`.
    #[napi(
        catch_unwind,
        ts_args_type = "application: Application, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn set_application<'a>(
        &self,
        env: &'a Env,
        application: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "SetApplication", application, options)
    }

    /// Deletes an application and its devices. Needs the right `delete`.
    #[napi(
        catch_unwind,
        ts_args_type = "application: ApplicationIdentifier, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn delete_application<'a>(
        &self,
        env: &'a Env,
        application: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "DeleteApplication", application, options)
    }

    /// A device. Needs the right `devices`.
    #[napi(
        catch_unwind,
        ts_args_type = "device: DeviceIdentifier, options?: CallOptions",
        ts_return_type = "Promise<Device>"
    )]
    pub fn get_device<'a>(
        &self,
        env: &'a Env,
        device: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "GetDevice", device, options)
    }

    /// Creates or replaces a device. Needs the right `devices`.
    #[napi(
        catch_unwind,
        ts_args_type = "device: Device, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn set_device<'a>(
        &self,
        env: &'a Env,
        device: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "SetDevice", device, options)
    }

    /// Deletes a device. Needs the right `devices`.
    #[napi(
        catch_unwind,
        ts_args_type = "device: DeviceIdentifier, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn delete_device<'a>(
        &self,
        env: &'a Env,
        device: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "DeleteDevice", device, options)
    }

    /// An application's devices, or a page of them. Needs the right `devices`.
    #[napi(
        catch_unwind,
        ts_args_type = "application: ApplicationIdentifier, options?: PageOptions",
        ts_return_type = "Promise<DevicePage>"
    )]
    pub fn get_devices<'a>(
        &self,
        env: &'a Env,
        application: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "GetDevicesForApplication", application, options)
    }

    /// Tries payload functions on a payload. gRPC only.
    #[napi(
        catch_unwind,
        ts_args_type = "message: DryUplinkMessage, options?: CallOptions",
        ts_return_type = "Promise<DryUplinkResult>"
    )]
    pub fn dry_uplink<'a>(
        &self,
        env: &'a Env,
        message: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "DryUplink", message, options)
    }

    /// Tries an encoder on fields, or a payload. gRPC only.
    #[napi(
        catch_unwind,
        ts_args_type = "message: DryDownlinkMessage, options?: CallOptions",
        ts_return_type = "Promise<DryDownlinkResult>"
    )]
    pub fn dry_downlink<'a>(
        &self,
        env: &'a Env,
        message: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "DryDownlink", message, options)
    }

    /// Handles an uplink as if a device had sent it. gRPC only. Needs the right `devices`.
    #[napi(
        catch_unwind,
        ts_args_type = "message: SimulatedUplinkMessage, options?: CallOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn simulate_uplink<'a>(
        &self,
        env: &'a Env,
        message: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        self.named(env, "SimulateUplink", message, options)
    }
}
