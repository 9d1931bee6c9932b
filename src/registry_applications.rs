//! Applications of The Things Stack.

use futures_util::stream::Stream;
use http::Method;

use crate::proto::stack::{
    Application, ApplicationIdentifiers, Applications, CreateApplicationRequest, GetApplicationRequest,
    ListApplicationsRequest, UpdateApplicationRequest,
};
use crate::registry::{ListPage, ListRequest, Registry, all, mask};
use crate::stack_call::Route;
use crate::stack_id::{application, missing, owner};
use crate::{CallOptions, Client, Error, ErrorKind, Result, WriteAnswer, from_json};

macro_rules! method {
    ($name:literal) => {
        concat!("/ttn.lorawan.v3.ApplicationRegistry/", $name)
    };
}

/// The applications of The Things Stack that a client's credentials may see.
///
/// Every call fails with [`ErrorKind::InvalidArgument`] for an id that is missing or not valid, and otherwise with what the
/// server, the network or the time limit says. Fields other than ids and times come only if the field mask names them.
#[derive(Clone, Debug)]
pub struct ApplicationRegistry(Registry);

impl ListRequest for ListApplicationsRequest {
    const ORDER: &'static str = "application_id";

    fn paging(&mut self) -> (&mut String, &mut u32, &mut u32) {
        (&mut self.order, &mut self.limit, &mut self.page)
    }
}

impl Client {
    /// The applications of The Things Stack.
    pub fn applications(&self) -> ApplicationRegistry {
        ApplicationRegistry(Registry { client: self.clone(), options: CallOptions::default() })
    }
}

impl ApplicationRegistry {
    /// The same calls with other options.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.0.options = options;
        self
    }

    /// An application. Needs the right `RIGHT_APPLICATION_INFO`, but for its ids and times.
    pub async fn get(&self, request: &GetApplicationRequest) -> Result<Application> {
        let id = application(request.application_ids.as_ref(), "application_ids")?;
        let fields = mask(request.field_mask.as_ref());
        let route = || Ok(Route::new(Method::GET, &["applications", id]).query(&[("field_mask", &fields)]));
        self.0.call(method!("Get"), request, route).await
    }

    /// All applications, page by page, those of a user or an organization if one is given. An API key of an application sees
    /// none. `limit` is the size of a page, `page` the first one.
    pub fn list(&self, request: ListApplicationsRequest) -> impl Stream<Item = Result<Application>> + use<> {
        let this = self.clone();
        all(request, move |request| {
            let this = this.clone();
            async move { this.page(request).await }
        })
    }

    /// One page of them.
    pub async fn page(&self, request: ListApplicationsRequest) -> Result<ListPage<Application>> {
        let request = request.settled();
        let whose = request.collaborator.as_ref().map(|ids| owner(ids, "collaborator")).transpose()?;
        let route = |request: &ListApplicationsRequest| {
            let (limit, page) = (request.limit.to_string(), request.page.to_string());
            let path = match whose {
                Some((kind, id)) => Route::new(Method::GET, &[kind, id, "applications"]),
                None => Route::new(Method::GET, &["applications"]),
            };
            Ok(path.query(&[
                ("field_mask", &mask(request.field_mask.as_ref())),
                ("order", &request.order),
                ("limit", &limit),
                ("page", &page),
                ("deleted", if request.deleted { "true" } else { "" }),
            ]))
        };
        let items = |answer: Applications| answer.applications;
        self.0.page(method!("List"), request.clone(), route, items).await
    }

    /// Creates an application of a user or an organization. Needs the right `RIGHT_USER_APPLICATIONS_CREATE`, or that of the
    /// organization. The id of one that was deleted is taken, too.
    pub async fn create(&self, request: &CreateApplicationRequest) -> Result<Application> {
        let new = request.application.as_ref().ok_or_else(|| missing("application"))?;
        application(new.ids.as_ref(), "application.ids")?;
        let (kind, id) =
            owner(request.collaborator.as_ref().ok_or_else(|| missing("collaborator"))?, "collaborator")?;
        // Who it is of is in the path.
        let route = || {
            Route::new(Method::POST, &[kind, id, "applications"])
                .json(&CreateApplicationRequest { collaborator: None, ..request.clone() })
        };
        self.0.create(method!("Create"), request, route).await
    }

    /// Changes the fields that the field mask names; without one nothing is changed. Needs the right
    /// `RIGHT_APPLICATION_SETTINGS_BASIC`.
    pub async fn update(&self, request: &UpdateApplicationRequest) -> Result<Application> {
        let changed = request.application.as_ref().ok_or_else(|| missing("application"))?;
        let id = application(changed.ids.as_ref(), "application.ids")?;
        let route = || Route::new(Method::PUT, &["applications", id]).json(request);
        self.0.call(method!("Update"), request, route).await
    }

    /// Deletes an application that has no devices. Needs the right `RIGHT_APPLICATION_DELETE`. A server refuses a second
    /// time, rather than not finding it: nobody has a right on an application that is deleted.
    pub async fn delete(&self, ids: &ApplicationIdentifiers) -> Result<()> {
        let id = application(Some(ids), "application_ids")?;
        let route = || Ok(Route::new(Method::DELETE, &["applications", id]));
        self.0.delete(method!("Delete"), ids, route).await
    }

    /// A call by its name: `get`, `list` (one page), `create`, `update` or `delete`, with its request as The Things Stack's
    /// documented JSON. For bindings.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for JSON that is not the message, [`ErrorKind::Unimplemented`] for an unknown name;
    /// otherwise those of the call, and of `to`.
    pub async fn call<W: WriteAnswer>(&self, name: &str, request: &str, to: W) -> Result<W::Written> {
        let json = request.as_bytes();
        match name {
            "get" => to.write(&self.get(&from_json(json)?).await?),
            "list" => to.write(&self.page(from_json(json)?).await?),
            "create" => to.write(&self.create(&from_json(json)?).await?),
            "update" => to.write(&self.update(&from_json(json)?).await?),
            "delete" => {
                self.delete(&from_json(json)?).await?;
                to.write(&crate::proto::Empty {})
            }
            _ => Err(Error::new(ErrorKind::Unimplemented, format!("applications have no call {name:?}"))),
        }
    }
}
