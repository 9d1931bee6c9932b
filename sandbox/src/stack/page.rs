//! Lists: their order, and a page of them. Source: v3/wire.md, section CRUD.

use serde_json::Value;

use crate::stack::error::{Refusal, invalid};

/// The most that a page can have.
const MAX_LIMIT: u64 = 1000;
/// How many it has unless a limit says another.
const DEFAULT_LIMIT: u64 = 100;

/// By what a list can be ordered.
pub(crate) struct Orders {
    /// The request's name in errors: `ListApplicationsRequest`.
    pub(crate) request: &'static str,
    /// The fields, each of which can have a `-` in front.
    pub(crate) fields: &'static [&'static str],
}

impl Orders {
    /// Refuses an order that is none, and too large a page.
    pub(crate) fn check(&self, request: &Value) -> Result<(), Refusal> {
        let order = request["order"].as_str().unwrap_or_default();
        if !order.is_empty() && !self.fields.contains(&order.strip_prefix('-').unwrap_or(order)) {
            let all: Vec<String> = self.fields.iter().map(|field| format!("{field} -{field}")).collect();
            let reason = format!("value must be in list [ {}]", all.join(" "));
            return Err(invalid(self.request, "order", &reason));
        }
        if number(request, "limit") > MAX_LIMIT {
            let reason = format!("value must be less than or equal to {MAX_LIMIT}");
            return Err(invalid(self.request, "limit", &reason));
        }
        Ok(())
    }

    /// Sorts by a request's order, or by the first field; `key` gives what a field of an item sorts by. Then takes the
    /// page that the request asks for.
    pub(crate) fn page<T>(
        &self,
        request: &Value,
        mut all: Vec<T>,
        key: impl Fn(&T, &str) -> String,
    ) -> Page<T> {
        let order = request["order"].as_str().filter(|order| !order.is_empty()).unwrap_or(self.fields[0]);
        let field = order.strip_prefix('-').unwrap_or(order);
        all.sort_by_cached_key(|item| key(item, field));
        if order.starts_with('-') {
            all.reverse();
        }
        let total = all.len();
        let limit = match number(request, "limit") {
            0 => DEFAULT_LIMIT,
            limit => limit,
        };
        let skipped = number(request, "page").saturating_sub(1).saturating_mul(limit);
        let (skipped, limit) =
            (usize::try_from(skipped).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX));
        Page { items: all.into_iter().skip(skipped).take(limit).collect(), total }
    }
}

/// A page, and how many there are on all.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: usize,
}

fn number(request: &Value, name: &str) -> u64 {
    request[name].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ORDERS: Orders = Orders { request: "ListThingsRequest", fields: &["id", "name"] };

    #[test]
    fn pages_are_taken_in_order() {
        let page = |request: Value| {
            let page = ORDERS.page(&request, vec!["b", "a", "c"], |item, _| (*item).to_owned());
            (page.items.concat(), page.total)
        };
        assert_eq!(page(json!({})), ("abc".into(), 3));
        assert_eq!(page(json!({"limit": 2, "page": 2})), ("c".into(), 3));
        assert_eq!(page(json!({"limit": 1, "page": 9})), (String::new(), 3));
        assert_eq!(page(json!({"order": "-name", "limit": 0})), ("cba".into(), 3));
    }

    #[test]
    fn other_orders_and_large_pages_are_refused() {
        assert!(ORDERS.check(&json!({"order": "-id", "limit": 1000})).is_ok());
        let message = ORDERS.check(&json!({"order": "x"})).unwrap_err().message;
        assert!(
            message.ends_with("(invalid `order`: value must be in list [ id -id name -name])"),
            "{message}"
        );
        assert!(
            ORDERS.check(&json!({"limit": 1001})).unwrap_err().message.contains("less than or equal to 1000")
        );
    }
}
