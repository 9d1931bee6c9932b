//! `Client`: one server's calls, as promises.

use napi::Env;
use napi::bindgen_prelude::{ClassInstance, Object, ToNapiValue, Unknown};
use napi_derive::napi;
use ttn_auth::{CallOptions, ClientBuilder, DEFAULT_DISCOVERY, Discovery, Page, Result, Transport};

use crate::args::{self, Fields};
use crate::contained::Contained;
use crate::credentials::Credentials;
use crate::error::{guard, invalid};
use crate::hooks;
use crate::promise::{Call, promise};
use crate::runtime::runtime;

/// A client of one server. Its address chooses the transport: `grpc://`, `grpcs://`, `http://` or `https://`.
///
/// It connects on the first call, and again when the connection broke. Credentials go to this one origin, never to where
/// it redirects, and never over plaintext to another machine unless `allowInsecure` says so.
#[napi]
pub struct Client {
    pub(crate) inner: Contained<ttn_auth::Client>,
}

impl Client {
    fn new(inner: ttn_auth::Client) -> Self {
        Self { inner: Contained::new(inner) }
    }

    /// One of ApplicationManager's calls.
    fn named<'a>(
        &self,
        env: &'a Env,
        name: &'static str,
        request: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        let prepare = || {
            let options = Fields::optional(options, "options")?;
            let manager = self.inner.application_manager().with_options(call_options(&options)?);
            let mut page = Page::default();
            if name == "GetDevicesForApplication" {
                (page.limit, page.offset) = (options.count("limit")?, options.count("offset")?);
            }
            let request = args::json(env, request, "the request")?;
            let future = async move { manager.call_json(name, &request, page).await };
            Ok(Call { future, signal: options.value("signal")? })
        };
        // The others answer with an empty message, which is nothing to JavaScript.
        let has_answer = name.starts_with("Get") || name.starts_with("Dry");
        promise(
            env,
            prepare,
            move |env, json| if has_answer { hooks::parse(env, json) } else { ().into_unknown(env) },
        )
    }
}

/// The time limit of one call.
pub(crate) fn call_options(options: &Fields) -> Result<CallOptions> {
    Ok(options.millis("timeout")?.map(CallOptions::timeout).unwrap_or_default())
}

fn builder(options: &Fields, address: String) -> Result<ClientBuilder> {
    let mut builder = ttn_auth::Client::builder(address);
    let credentials = options.typed::<ClassInstance<Credentials>>(
        "credentials",
        "made by Credentials.parse, bearerToken or accessKey",
    )?;
    if let Some(credentials) = credentials {
        builder = builder.credentials(credentials.inner.clone());
    }
    if let Some(ca) = options.text("ca")? {
        builder = builder.ca(ca);
    }
    if let Some(limit) = options.millis("timeout")? {
        builder = builder.timeout(limit);
    }
    if let Some(limit) = options.millis("connectTimeout")? {
        builder = builder.connect_timeout(limit);
    }
    Ok(builder.allow_insecure(options.flag("allowInsecure")?.unwrap_or_default()))
}

#[napi]
impl Client {
    /// A client of the server at `options.address`. It checks everything and connects to nothing.
    ///
    /// Throws `AUTH_INVALID_ARGUMENT` for an option that is not valid, `AUTH_INSECURE_TRANSPORT` for plaintext to another
    /// machine.
    #[napi(constructor, catch_unwind, ts_args_type = "options: ClientOptions")]
    pub fn create(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || {
            let options = Fields::required(options, "options")?;
            let address = options.text("address")?.ok_or_else(|| {
                invalid("options.address is missing, such as grpcs://handler.example:1904 or https://handler.example:8094")
            })?;
            let _context = runtime()?.enter();
            builder(&options, address)?.build().map(Self::new)
        })
    }

    /// A client of the Handler that serves an application, at the address and with the certificate that the discovery
    /// service announces. Discovery is asked over TLS, and never sent credentials.
    #[napi(
        catch_unwind,
        ts_args_type = "appId: string, options?: DiscoverOptions",
        ts_return_type = "Promise<Client>"
    )]
    pub fn discover<'a>(
        env: &'a Env,
        app_id: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        let prepare = || {
            let app_id = args::text(app_id, "appId")?;
            let options = Fields::optional(options, "options")?;
            let transport = match options.text("transport")?.as_deref() {
                None | Some("grpc") => Transport::Grpc,
                Some("http") => Transport::Http,
                Some(_) => return Err(invalid("transport must be 'grpc' or 'http'")),
            };
            let address = options.text("discovery")?.unwrap_or_else(|| DEFAULT_DISCOVERY.to_owned());
            let discovery = Discovery::new(builder(&options, address)?)?;
            let future = async move { discovery.client(&app_id, transport).await };
            Ok(Call { future, signal: options.value("signal")? })
        };
        promise(env, prepare, |env, client| Self::new(client).into_unknown(env))
    }

    /// The address, with its port.
    #[napi(getter, catch_unwind)]
    pub fn address(&self) -> String {
        self.inner.address().to_owned()
    }

    /// How calls travel.
    #[napi(getter, catch_unwind, ts_return_type = "Transport")]
    pub fn transport(&self) -> &'static str {
        self.inner.transport().name()
    }

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

    /// Ends what is in flight with `AUTH_CANCELLED`, refuses what comes later, and drops the connections. May be called
    /// again.
    #[napi(catch_unwind)]
    pub fn close(&self, env: &Env) -> napi::Result<()> {
        guard(env, || {
            let _context = runtime()?.enter();
            self.inner.close();
            Ok(())
        })
    }
}
