//! End devices of The Things Stack, as its Identity Server has them: ids, names, locations, and which servers have the rest.

use futures_util::stream::Stream;
use http::Method;

use crate::proto::stack::{
    CreateEndDeviceRequest, EndDevice, EndDeviceIdentifiers, EndDevices, GetEndDeviceRequest,
    ListEndDevicesRequest, UpdateEndDeviceRequest,
};
use crate::registry::{ListPage, ListRequest, Registry, all, mask};
use crate::stack_call::Route;
use crate::stack_id::{application, device, missing};
use crate::{CallOptions, Client, Error, ErrorKind, Result, WriteAnswer, from_json};

macro_rules! method {
    ($name:literal) => {
        concat!("/ttn.lorawan.v3.EndDeviceRegistry/", $name)
    };
}

/// The devices of an application of The Things Stack.
///
/// Every call fails with [`ErrorKind::InvalidArgument`] for an id that is missing or not valid, and otherwise with what the
/// server, the network or the time limit says. Fields other than ids and times come only if the field mask names them.
///
/// To read needs the right `RIGHT_APPLICATION_DEVICES_READ`, to change `RIGHT_APPLICATION_DEVICES_WRITE`.
#[derive(Clone, Debug)]
pub struct EndDeviceRegistry(Registry);

impl ListRequest for ListEndDevicesRequest {
    const ORDER: &'static str = "device_id";

    fn paging(&mut self) -> (&mut String, &mut u32, &mut u32) {
        (&mut self.order, &mut self.limit, &mut self.page)
    }
}

impl Client {
    /// The end devices of The Things Stack.
    pub fn end_devices(&self) -> EndDeviceRegistry {
        EndDeviceRegistry(Registry { client: self.clone(), options: CallOptions::default() })
    }
}

impl EndDeviceRegistry {
    /// The same calls with other options.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.0.options = options;
        self
    }

    /// A device.
    pub async fn get(&self, request: &GetEndDeviceRequest) -> Result<EndDevice> {
        let (app, id) = device(request.end_device_ids.as_ref(), "end_device_ids")?;
        let fields = mask(request.field_mask.as_ref());
        let route = || {
            let path = Route::new(Method::GET, &["applications", app, "devices", id]);
            Ok(path.query(&[("field_mask", &fields)]))
        };
        self.0.call(method!("Get"), request, route).await
    }

    /// All devices of an application, page by page. `limit` is the size of a page, `page` the first one.
    pub fn list(&self, request: ListEndDevicesRequest) -> impl Stream<Item = Result<EndDevice>> + use<> {
        let this = self.clone();
        all(request, move |request| {
            let this = this.clone();
            async move { this.page(request).await }
        })
    }

    /// One page of them.
    pub async fn page(&self, request: ListEndDevicesRequest) -> Result<ListPage<EndDevice>> {
        application(request.application_ids.as_ref(), "application_ids")?;
        let items = |answer: EndDevices| answer.end_devices;
        self.0.page(method!("List"), request.settled(), list_route, items).await
    }

    /// Creates a device here. Before it can join, Network, Application and Join Servers have to know it, too.
    pub async fn create(&self, request: &CreateEndDeviceRequest) -> Result<EndDevice> {
        let new = request.end_device.as_ref().ok_or_else(|| missing("end_device"))?;
        let (app, _) = device(new.ids.as_ref(), "end_device.ids")?;
        let route = || Route::new(Method::POST, &["applications", app, "devices"]).json(request);
        self.0.create(method!("Create"), request, route).await
    }

    /// Changes the fields that the field mask names; without one nothing is changed.
    pub async fn update(&self, request: &UpdateEndDeviceRequest) -> Result<EndDevice> {
        let changed = request.end_device.as_ref().ok_or_else(|| missing("end_device"))?;
        let (app, id) = device(changed.ids.as_ref(), "end_device.ids")?;
        let route = || Route::new(Method::PUT, &["applications", app, "devices", id]).json(request);
        self.0.call(method!("Update"), request, route).await
    }

    /// Deletes a device here. It has to be deleted from the other servers first.
    pub async fn delete(&self, ids: &EndDeviceIdentifiers) -> Result<()> {
        let (app, id) = device(Some(ids), "end_device_ids")?;
        let route = || Ok(Route::new(Method::DELETE, &["applications", app, "devices", id]));
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
            _ => Err(Error::new(ErrorKind::Unimplemented, format!("end devices have no call {name:?}"))),
        }
    }
}

fn list_route(request: &ListEndDevicesRequest) -> Result<Route> {
    let app = application(request.application_ids.as_ref(), "application_ids")?;
    // Filters do not fit in a query.
    if !request.filters.is_empty() {
        return Route::new(Method::POST, &["applications", app, "devices", "filter"])
            .json(&ListEndDevicesRequest { application_ids: None, ..request.clone() });
    }
    let (limit, page) = (request.limit.to_string(), request.page.to_string());
    Ok(Route::new(Method::GET, &["applications", app, "devices"]).query(&[
        ("field_mask", &mask(request.field_mask.as_ref())),
        ("order", &request.order),
        ("limit", &limit),
        ("page", &page),
    ]))
}
