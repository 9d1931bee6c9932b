//! Tests of registry.rs: how a list is asked for.

use std::cell::RefCell;

use super::*;
use crate::proto::stack::ListApplicationsRequest;

/// Lists 1 to `there` from a server that says how many there are, or does not. The pages asked for, and what came.
async fn listed(there: u32, says: bool, limit: u32) -> (Vec<u32>, Vec<u32>) {
    let asked = RefCell::new(Vec::new());
    let page = async |request: ListApplicationsRequest| {
        assert_eq!(request.order, "application_id");
        asked.borrow_mut().push(request.page);
        let begin = (request.page - 1) * request.limit;
        let items: Vec<_> = (begin + 1..=there.min(begin + request.limit)).collect();
        let total = says.then_some(u64::from(there));
        let next = next(items.len(), total, request.limit, request.page);
        Ok(ListPage { items, total, next })
    };
    let request = ListApplicationsRequest { limit, ..Default::default() };
    let items = all(request, page).try_collect().await.unwrap();
    (asked.into_inner(), items)
}

#[tokio::test]
async fn a_list_ends_at_a_page_that_is_not_full_or_when_all_have_come() {
    for (there, says, pages) in [
        (0, true, 1),
        (0, false, 1),
        (1, false, 1),
        (2, true, 1),
        (2, false, 2),
        (5, true, 3),
        (5, false, 3),
        (6, true, 3),
        (6, false, 4),
    ] {
        let (asked, items) = listed(there, says, 2).await;
        assert_eq!(items, (1..=there).collect::<Vec<_>>(), "{there} {says}");
        assert_eq!(asked, (1..=pages).collect::<Vec<_>>(), "{there} {says}");
    }
    assert_eq!(listed(3, false, 0).await.0, [1]);
}

#[tokio::test]
async fn a_server_that_does_not_turn_pages_is_not_asked_for_ever() {
    let page = async |request: ListApplicationsRequest| {
        Ok(ListPage { items: vec![7, 8], total: None, next: next(2, None, 2, request.page) })
    };
    let request = ListApplicationsRequest { limit: 2, ..Default::default() };
    let mut items = Box::pin(all(request, page));
    let mut came = Vec::new();
    let error = loop {
        match items.try_next().await {
            Ok(item) => came.push(item.unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!((came, error.kind()), (vec![7, 8], ErrorKind::Protocol));
}

#[test]
fn the_last_page_has_no_next_one() {
    assert_eq!(next(usize::MAX, None, u32::MAX, u32::MAX), None);
    assert_eq!(next(1, None, 1, u32::MAX - 1), Some(u32::MAX));
}
