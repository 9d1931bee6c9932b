//! The registries of The Things Stack's Identity Server: what those of applications and of devices have in common.
//!
//! A list is asked for page by page, in an order that does not change from one to the next. It ends at a page that is not
//! full: a server says how many there are only to some callers (v3/wire.md, section "CRUD").

use std::future::Future;

use futures_util::stream::{self, Stream, TryStreamExt};
use http::HeaderMap;
use prost::Message;
use prost_types::FieldMask;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::stack_call::{self, Route};
use crate::{CallOptions, Client, Error, ErrorKind, Result};

/// How many are asked for at once, if the caller does not say: half of what a server takes. Some servers count calls.
const PAGE: u32 = 500;

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ListPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many there are on all pages, if the server says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The number of the page to ask for next, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// A request for a page of a list.
pub(crate) trait ListRequest {
    /// What orders a list as it is ordered anyway, but is said.
    const ORDER: &'static str;

    /// Order, how many at most, and which page.
    fn paging(&mut self) -> (&mut String, &mut u32, &mut u32);

    /// With everything said that was left to the server.
    fn settled(mut self) -> Self
    where
        Self: Sized,
    {
        let (order, limit, page) = self.paging();
        if order.is_empty() {
            *order = Self::ORDER.to_owned();
        }
        if *limit == 0 {
            *limit = PAGE;
        }
        *page = (*page).max(1);
        self
    }
}

/// Makes the calls of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) client: Client,
    pub(crate) options: CallOptions,
}

impl Registry {
    /// A call that may be made twice.
    pub(crate) async fn call<Q, A>(
        &self,
        method: &'static str,
        request: &Q,
        route: impl FnOnce() -> Result<Route>,
    ) -> Result<A>
    where
        Q: Message,
        A: Message + DeserializeOwned + Default,
    {
        self.send(method, request, true, route).await.map(|(answer, _)| answer)
    }

    /// A call that is something else the second time.
    pub(crate) async fn create<Q, A>(
        &self,
        method: &'static str,
        request: &Q,
        route: impl FnOnce() -> Result<Route>,
    ) -> Result<A>
    where
        Q: Message,
        A: Message + DeserializeOwned + Default,
    {
        self.send(method, request, false, route).await.map(|(answer, _)| answer)
    }

    pub(crate) async fn delete<Q: Message>(
        &self,
        method: &'static str,
        request: &Q,
        route: impl FnOnce() -> Result<Route>,
    ) -> Result<()> {
        match self.call::<_, crate::proto::Empty>(method, request, route).await {
            // It was deleted the first time, when the answer was lost.
            Err(error) if error.kind() == ErrorKind::NotFound && error.is_after_lost_answer() => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// A page. The request is settled.
    pub(crate) async fn page<Q, A, T>(
        &self,
        method: &'static str,
        mut request: Q,
        route: impl FnOnce(&Q) -> Result<Route>,
        items: impl FnOnce(A) -> Vec<T>,
    ) -> Result<ListPage<T>>
    where
        Q: Message + ListRequest,
        A: Message + DeserializeOwned + Default,
    {
        let (answer, headers) = self.send(method, &request, true, || route(&request)).await?;
        let (items, total) = (items(answer), total(&headers));
        let (_, limit, page) = request.paging();
        let next = next(items.len(), total, *limit, *page);
        Ok(ListPage { items, total, next })
    }

    async fn send<Q, A>(
        &self,
        method: &'static str,
        request: &Q,
        idempotent: bool,
        route: impl FnOnce() -> Result<Route>,
    ) -> Result<(A, HeaderMap)>
    where
        Q: Message,
        A: Message + DeserializeOwned + Default,
    {
        let idempotent = self.options.idempotent.or(Some(idempotent));
        let options = CallOptions { idempotent, ..self.options };
        stack_call::call(&self.client, &options, method, request, route).await
    }
}

/// The items of all pages from this one on.
pub(crate) fn all<T, Q, F>(request: Q, page: impl Fn(Q) -> F) -> impl Stream<Item = Result<T>>
where
    T: Clone + PartialEq,
    Q: ListRequest + Clone,
    F: Future<Output = Result<ListPage<T>>>,
{
    let first = Some((request.settled(), None));
    let pages = stream::try_unfold((first, page), |(next, page)| async move {
        let Some((mut request, before)) = next else { return Ok(None) };
        let ListPage { items, next, .. } = page(request.clone()).await?;
        let begins = items.first().cloned();
        if begins.is_some() && begins == before {
            let message = "the server answers the same page of a list again and again";
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let next = next.map(|number| {
            *request.paging().2 = number;
            (request, begins)
        });
        Ok(Some((stream::iter(items.into_iter().map(Ok)), (next, page))))
    });
    pages.try_flatten()
}

/// How many there are, if the server says so: not to an API key of an application that lists applications.
fn total(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}

fn next(items: usize, total: Option<u64>, limit: u32, page: u32) -> Option<u32> {
    let is_full = u32::try_from(items).map_or(true, |items| items >= limit);
    let seen = u64::from(page) * u64::from(limit);
    page.checked_add(1).filter(|_| is_full && items > 0 && total.is_none_or(|total| seen < total))
}

/// As it is in a query; a query without it stands for none.
pub(crate) fn mask(mask: Option<&FieldMask>) -> String {
    mask.map(|mask| mask.paths.join(",")).unwrap_or_default()
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
