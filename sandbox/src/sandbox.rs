//! The network as a whole: starts its servers, says where they are, stops them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use ttn_auth::proto::discovery::Announcement;
use ttn_auth::{AccountServer, AppId, Authenticator, Error, ErrorKind, Result};

use crate::account::Account;
use crate::discovery::Discovery;
use crate::gateway::Gateway;
use crate::handler::Handler;
use crate::handler_grpc::HandlerGrpc;
use crate::issuer::Issuer;
use crate::mint::{APP_ID, Mint};
use crate::options::{DEV_ID, Ports, SandboxOptions};
use crate::rate::Rates;
use crate::serve::{Versions, bind, spawn};
use crate::tls::Identity;

/// The Handler's name. One that is called `dev` answers `GetStatus` without a credential.
const HANDLER_ID: &str = "dev";

/// A V2 network on loopback. Stops when it is dropped.
///
/// ```no_run
/// # async fn example() -> ttn_auth::Result<()> {
/// use ttn_auth_sandbox::{Sandbox, SandboxOptions};
/// let sandbox = Sandbox::start(SandboxOptions::default()).await?;
/// println!("{} takes {}", sandbox.grpc_address(), sandbox.access_key());
/// sandbox.stop().await;
/// # Ok(())
/// # }
/// ```
pub struct Sandbox {
    ports: Ports,
    identity: Identity,
    issuer: Arc<Issuer>,
    account: Arc<Account>,
    app_id: String,
    stop: watch::Sender<bool>,
    stop_account: watch::Sender<bool>,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

impl Sandbox {
    /// Starts a network; every server listens when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if a port is taken, [`ErrorKind::InvalidArgument`] if an option is not valid.
    pub async fn start(options: SandboxOptions) -> Result<Self> {
        let identity = options.identity.map_or_else(Identity::generate, Ok)?;
        let issuer = Arc::new(Issuer::new(options.issuer, options.algorithm)?);
        let account = Arc::new(Account::new(issuer.clone(), options.token_lifetime)?);
        let listeners = Listeners::bind(options.ports).await?;
        let ports = listeners.ports()?;
        // The Handler asks the account server over the network, as a real one does.
        let server = AccountServer::new(&format!("http://127.0.0.1:{}", ports.account))?;
        let (stop, stopped) = watch::channel(false);
        let (stop_account, account_stopped) = watch::channel(false);
        let account_task = spawn(listeners.account, None, Versions::Both, account.clone(), account_stopped);
        // Read once at the start, and kept through an outage of the account server: so does a Handler.
        let key = server.key().await?;
        let authenticator =
            Authenticator::builder().auth_server(issuer.id(), server).public_key(issuer.id(), key).build();
        let handler = Arc::new(Handler::new(authenticator, Rates::new(options.rate_limit)));
        for app in &options.applications {
            let app = AppId::new(app.clone())?;
            handler.store.lock().register(&app)?;
            account.add_application(&app)?;
        }
        for device in options.devices {
            crate::device::check(&device)?;
            let app = AppId::new(device.app_id.clone())?;
            let mut store = handler.store.lock();
            let dev_id = device.dev_id.clone();
            store.registered(&app)?.devices.insert(dev_id, crate::device::updated(None, device));
        }
        let app_id = options.applications.into_iter().next().unwrap_or_else(|| APP_ID.into());
        let announcement = announcement(&ports, &identity);
        let discovery = Arc::new(Discovery { announcement, handler: handler.clone() });
        let gateway = Arc::new(Gateway(handler.clone()));
        let grpc = Arc::new(HandlerGrpc(handler));
        let http_tls = identity.server_config(&["h2", "http/1.1"])?;
        let grpc_tls = identity.server_config(&["h2"])?;
        let servers = vec![
            spawn(listeners.grpc, None, Versions::Http2, grpc.clone(), stopped.clone()),
            spawn(listeners.grpcs, Some(grpc_tls), Versions::Http2, grpc, stopped.clone()),
            spawn(listeners.http, None, Versions::Http1, gateway.clone(), stopped.clone()),
            spawn(listeners.https, Some(http_tls), Versions::Both, gateway, stopped.clone()),
            account_task,
            spawn(listeners.discovery, None, Versions::Both, discovery, stopped),
        ];
        Ok(Self {
            ports,
            identity,
            issuer,
            account,
            app_id,
            stop,
            stop_account,
            servers: Mutex::new(servers),
        })
    }

    /// Closes every listener and every connection. Calling it again does nothing.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop_account_server();
        let servers = std::mem::take(&mut *self.servers.lock().unwrap_or_else(PoisonError::into_inner));
        for server in servers {
            // A server that panicked has stopped too.
            let _ = server.await;
        }
    }

    /// An outage: closes the account server's listener and connections, and leaves the rest as it is.
    pub fn stop_account_server(&self) {
        self.stop_account.send_replace(true);
    }

    /// The Handler's gRPC API: `grpc://127.0.0.1:<port>`.
    pub fn grpc_address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.ports.grpc)
    }

    /// The Handler's gRPC API with TLS: `grpcs://localhost:<port>`.
    pub fn grpcs_address(&self) -> String {
        format!("grpcs://localhost:{}", self.ports.grpcs)
    }

    /// The Handler's HTTP API: `http://127.0.0.1:<port>`.
    pub fn http_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http)
    }

    /// The Handler's HTTP API with TLS: `https://localhost:<port>`.
    pub fn https_address(&self) -> String {
        format!("https://localhost:{}", self.ports.https)
    }

    /// The account server: `http://127.0.0.1:<port>`.
    pub fn account_server(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.account)
    }

    /// Discovery: `grpc://127.0.0.1:<port>`; the same port has its HTTP API.
    pub fn discovery(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.ports.discovery)
    }

    /// Every port.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The certificate to trust, as PEM: a self-signed leaf.
    pub fn ca(&self) -> &str {
        self.identity.certificate()
    }

    /// The certificate with its key, for another sandbox.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The auth server's id and keys.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The first registered application: `test-app`.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// A device of it: `dev-1`.
    pub fn dev_id(&self) -> &str {
        DEV_ID
    }

    /// An access key with every right on the application.
    pub fn access_key(&self) -> String {
        format!("{}.full-{}", self.issuer.id(), self.app_id)
    }

    /// A bearer token with every right on the application, valid for an hour.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn bearer_token(&self) -> Result<String> {
        self.mint(&Mint { app_id: Some(self.app_id.clone()), ..Default::default() })
    }

    /// Mints a token, good or bad.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn mint(&self, mint: &Mint) -> Result<String> {
        self.issuer.mint(mint)
    }

    /// Adds an access key and returns it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the id is not valid, [`ErrorKind::Internal`] if the system has no randomness.
    pub fn add_access_key(&self, app_id: &str, rights: &[&str]) -> Result<String> {
        let mut random = [0; 16];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| Error::new(ErrorKind::Internal, "the system has no randomness"))?;
        let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.account.add_key(&AppId::new(app_id)?, &secret, rights)?;
        Ok(format!("{}.{secret}", self.issuer.id()))
    }

    /// How many exchanges the account server has been asked for.
    pub fn exchanges(&self) -> usize {
        self.account.exchanges()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.stop_account_server();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("ports", &self.ports).finish_non_exhaustive()
    }
}

struct Listeners {
    grpc: TcpListener,
    grpcs: TcpListener,
    http: TcpListener,
    https: TcpListener,
    account: TcpListener,
    discovery: TcpListener,
}

impl Listeners {
    async fn bind(ports: Ports) -> Result<Self> {
        Ok(Self {
            grpc: bind(ports.grpc).await?,
            grpcs: bind(ports.grpcs).await?,
            http: bind(ports.http).await?,
            https: bind(ports.https).await?,
            account: bind(ports.account).await?,
            discovery: bind(ports.discovery).await?,
        })
    }

    fn ports(&self) -> Result<Ports> {
        let port = |listener: &TcpListener| {
            listener
                .local_addr()
                .map(|address| address.port())
                .map_err(|e| Error::new(ErrorKind::Internal, "a listener has no address").with_source(e))
        };
        Ok(Ports {
            grpc: port(&self.grpc)?,
            grpcs: port(&self.grpcs)?,
            http: port(&self.http)?,
            https: port(&self.https)?,
            account: port(&self.account)?,
            discovery: port(&self.discovery)?,
        })
    }
}

fn announcement(ports: &Ports, identity: &Identity) -> Announcement {
    Announcement {
        id: HANDLER_ID.into(),
        service_name: "handler".into(),
        service_version: concat!(env!("CARGO_PKG_VERSION"), "-sandbox").into(),
        description: "Stand-in Handler on loopback".into(),
        net_address: format!("localhost:{}", ports.grpcs),
        certificate: identity.certificate().into(),
        api_address: format!("https://localhost:{}", ports.https),
        ..Default::default()
    }
}
