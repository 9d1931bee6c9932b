//! The network as a whole: starts its servers, stops them, goes on where a journal ends.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use ttn_auth::{AccountServer, AppId, Result, Secret};

use crate::account::Account;
use crate::answers::Answers;
use crate::clock::OffClock;
use crate::counts::Counters;
use crate::discovery::{Discovery, announcement};
use crate::gateway::Gateway;
use crate::grants::{Grants, fixtures};
use crate::handler::Handler;
use crate::handler_grpc::HandlerGrpc;
use crate::issuer::Issuer;
use crate::journal::{Entry, Journal};
use crate::listeners::Listeners;
use crate::mint::APP_ID;
use crate::options::{Ports, SandboxOptions};
use crate::outage::AccountTask;
use crate::rate::Rates;
use crate::serve::{Versions, spawn};
use crate::stack::Stack;
use crate::store::Store;
use crate::tls::Identity;
use crate::trust::Trust;

/// A V2 network and one of The Things Stack on loopback. Stops when it is dropped.
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
    pub(crate) ports: Ports,
    pub(crate) identity: Identity,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) account: Arc<Account>,
    pub(crate) account_task: AccountTask,
    pub(crate) handler: Arc<Handler>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) app_id: String,
    pub(crate) stack: Stack,
    stop: watch::Sender<bool>,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

impl Sandbox {
    /// Starts a network; every server listens when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](ttn_auth::ErrorKind::Unavailable) if a port is taken,
    /// [`ErrorKind::InvalidArgument`](ttn_auth::ErrorKind::InvalidArgument) if an option is not valid, or the journal not
    /// one.
    pub async fn start(options: SandboxOptions) -> Result<Self> {
        // Before the journal is looked at: it may be that of a sandbox that runs there.
        let listeners = Listeners::bind(options.ports).await?;
        let ports = listeners.ports()?;
        let (journal, entries) = match &options.journal {
            Some(path) => Journal::open(path)?,
            None => (Journal::none(), Vec::new()),
        };
        let (journal, counters) = (Arc::new(journal), Arc::<Counters>::default());
        let issuer = Arc::new(Issuer::new(options.issuer, options.algorithm)?);
        issuer.clock().set(options.account_server_clock);
        let account = Arc::new(Account {
            issuer: issuer.clone(),
            grants: Grants::new(journal.clone()),
            answers: Answers::new(options.token_lifetime, options.expires_in, options.token_age),
            client: options.client.clone(),
            counters: counters.clone(),
        });
        let store = Store::new(journal.clone(), counters.clone());
        let mut identity = options.identity;
        for entry in &entries {
            issuer.apply(entry)?;
            account.grants.apply(entry);
            store.lock().apply(entry);
            if let (None, Entry::Identity { certificate, key }) = (&identity, entry) {
                identity = Some(Identity::from_pem(certificate.clone(), Secret::new(key.as_str()))?);
            }
        }
        let identity = identity.map_or_else(Identity::generate, Ok)?;
        if entries.is_empty() {
            let (certificate, key) = (identity.certificate().to_owned(), identity.key().expose().to_owned());
            journal.append(&Entry::Identity { certificate, key })?;
            issuer.record(&journal)?;
            for app in &options.applications {
                let app = AppId::new(app.clone())?;
                store.lock().register(&app)?;
                for (secret, rights) in fixtures(&app) {
                    account.add_key(&app, secret, rights)?;
                }
            }
            for device in options.devices {
                crate::device::check(&device)?;
                let app = AppId::new(device.app_id.clone())?;
                store.lock().add_device(&app, device)?;
            }
            journal.begin()?;
            // Nobody asked for these.
            counters.writes.reset();
        }

        // The Handler asks the account server over the network, as a real one does.
        let mut server = AccountServer::new(&format!("http://127.0.0.1:{}", ports.account))?;
        if let Some((id, secret)) = options.client {
            server = server.with_client(id, secret);
        }
        let account_task = AccountTask::new(listeners.account, account.clone());
        // Read once at the start, and kept through an outage of the account server: so does a Handler.
        let trust = Trust::new(issuer.clone(), server, OffClock::new(options.handler_clock)).await?;
        let rates = Rates::new(options.rate_limit);
        let handler = Arc::new(Handler { store, trust, rates, counters: counters.clone() });
        let announcement = announcement(&ports, &identity);
        let discovery = Arc::new(Discovery { announcement, handler: handler.clone() });
        let gateway = Arc::new(Gateway(handler.clone()));
        let grpc = Arc::new(HandlerGrpc(handler.clone()));
        let http_tls = identity.server_config(&["h2", "http/1.1"])?;
        let grpc_tls = identity.server_config(&["h2"])?;
        let (stop, stopped) = watch::channel(false);
        let mut servers = vec![
            spawn(listeners.grpc, None, Versions::Http2, grpc.clone(), stopped.clone()),
            spawn(listeners.grpcs, Some(grpc_tls), Versions::Http2, grpc, stopped.clone()),
            spawn(listeners.http, None, Versions::Http1, gateway.clone(), stopped.clone()),
            spawn(listeners.https, Some(http_tls), Versions::Both, gateway, stopped.clone()),
            spawn(listeners.discovery, None, Versions::Both, discovery, stopped.clone()),
        ];
        let devices = options.stack_devices.as_deref();
        let stack = Stack::start(listeners.stack, ports, devices, &identity, &stopped, &mut servers)?;
        let app_id = options.applications.into_iter().next().unwrap_or_else(|| APP_ID.into());
        let servers = Mutex::new(servers);
        Ok(Self {
            ports,
            identity,
            issuer,
            account,
            account_task,
            handler,
            journal,
            counters,
            app_id,
            stack,
            stop,
            servers,
        })
    }

    /// Closes every listener and every connection. Calling it again does nothing.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.account_task.end().await;
        let servers = std::mem::take(&mut *self.servers.lock().unwrap_or_else(PoisonError::into_inner));
        for server in servers {
            // A server that panicked has stopped too.
            let _ = server.await;
        }
        self.journal.close();
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
