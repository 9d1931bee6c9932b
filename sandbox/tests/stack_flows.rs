//! The sequences that were recorded from The Things Stack, played again step by step: what each gives is as it was.

#[path = "stack/support.rs"]
mod support;

use serde_json::{Value, json};
use support::{Answer, Http, empty};
use ttn_auth_sandbox::vectors::{self, VectorFile};

/// The steps of a group, in order.
fn steps(group: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/v3.json");
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut steps = std::mem::take(file["vectors"].as_array_mut().unwrap());
    steps.retain(|step| step["group"] == group);
    steps
}

/// Runs steps one after another against one sandbox; everything is compared, as of group auth.
async fn replay(mut steps: Vec<Value>) {
    for step in &mut steps {
        step["group"] = "played again".into();
    }
    let count = steps.len();
    let report =
        vectors::run(&VectorFile::parse(&json!({ "vectors": steps }).to_string()).unwrap()).await.unwrap();
    assert!(report.failed().is_empty(), "{report}");
    assert_eq!(report.passed(), count);
}

#[tokio::test]
async fn applications_and_their_keys() {
    let mut steps = steps("flow crud");
    assert_eq!(steps.len(), 59);
    // The recording had other keys, in the order of other ids.
    steps.retain(|step| step["name"] != "app/keys_list");
    replay(steps).await;

    let sandbox = empty().await;
    let v3 = sandbox.stack();
    let keys = Http::new(v3).get(&v3.api_key(), "/api/v3/applications/app1/api-keys?limit=2").await;
    assert_eq!((keys.status, keys.header("x-total-count")), (200, Some("7")));
    let keys = keys.body["api_keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2);
    assert!(
        keys.iter().all(|key| key["id"].is_string() && key["rights"].is_array() && key.get("key").is_none())
    );
}

#[tokio::test]
async fn end_devices() {
    let steps = steps("flow dev");
    assert_eq!(steps.len(), 37);
    replay(steps).await;
}

/// The tokens of the sequence, as they are replaced.
#[derive(Default)]
struct Tokens {
    access: String,
    refresh: String,
    /// Those before.
    old: (String, String),
}

impl Tokens {
    fn renew(&mut self, granted: &Value) {
        let text = |name: &str| granted[name].as_str().unwrap().to_owned();
        let (access, refresh) = (text("access_token"), text("refresh_token"));
        self.old =
            (std::mem::replace(&mut self.access, access), std::mem::replace(&mut self.refresh, refresh));
    }
}

#[tokio::test]
async fn oauth_tokens() {
    const REDACTED: &str = "OJSWM.<id>.<secret>";
    let sandbox = empty().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let mut tokens = Tokens::default();
    let code = v3.key("code").unwrap();
    let form = format!(
        "grant_type=authorization_code&redirect_uri=http://127.0.0.1:9/cb&code={code}&client_id=testcli&client_secret=testsecret"
    );
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let granted = http.request("POST", "/oauth/token", &kind, &form).await.unwrap();
    assert_eq!(granted.status, 200, "{granted:?}");
    tokens.renew(&granted.body);

    let steps = steps("flow oauth");
    assert_eq!(steps.len(), 25);
    for step in steps {
        let name = step["name"].as_str().unwrap().strip_prefix("oauth/").unwrap();
        let id = tokens.refresh.split('.').nth(1).unwrap().to_owned();
        let other = "B".repeat(52);
        let redacted = match name {
            "wrong_refresh_secret" => format!("OJSWM.{id}.{other}"),
            "unknown_refresh_id" => format!("OJSWM.{}.{other}", "A".repeat(39)),
            _ => tokens.refresh.clone(),
        };
        // After the refresh, {$rf} is the one that was used.
        let refresh = if name == "old_refresh_again" { &tokens.old.1 } else { &tokens.refresh };
        let fill = |text: &str| {
            text.replace(REDACTED, &redacted)
                .replace("{$rf3}", &tokens.refresh)
                .replace("{$rfe}", &v3.key("oauth_refresh_expired").unwrap())
                .replace("{$rf}", refresh)
                .replace("{$ac}", &tokens.access)
                .replace("{$new_ac}", &tokens.access)
                .replace("{$oauth_access}", &tokens.old.0)
                .replace("{$code}", &code)
        };
        let request = &step["request"];
        let headers = request["headers"].as_array().unwrap();
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|pair| (fill(pair[0].as_str().unwrap()), fill(pair[1].as_str().unwrap())))
            .collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = fill(request["body"].as_str().unwrap_or_default());
        let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        let came = http.request(method, path, &headers, &body).await.unwrap();
        compare(name, &step["expect"], &came);
        if came.body["refresh_token"].is_string() {
            assert_eq!(
                (&came.body["expires_in"], &came.body["token_type"]),
                (&json!(3600), &json!("bearer"))
            );
            tokens.renew(&came.body);
        }
    }
}

/// Status, name and text of the error, the kind of the content, and whether it may be cached.
fn compare(name: &str, expected: &Value, came: &Answer) {
    assert_eq!(i64::from(came.status), expected["status"].as_i64().unwrap(), "{name}: {came:?}");
    let details = &expected["body"]["details"][0];
    assert_eq!(came.body["details"][0]["name"], details["name"], "{name}");
    assert_eq!(came.body["details"][0]["message_format"], details["message_format"], "{name}");
    assert_eq!(came.body["code"], expected["body"]["code"], "{name}");
    let listed = |header: &str| -> Vec<String> {
        let pairs = expected["headers"].as_array().unwrap().iter();
        let named = pairs.filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(header));
        named.map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
    };
    for header in ["content-type", "cache-control", "vary", "www-authenticate", "pragma"] {
        let values = came.headers.get_all(header).iter();
        let values: Vec<String> = values.map(|value| value.to_str().unwrap().to_owned()).collect();
        assert_eq!(values, listed(header), "{name}: {header}");
    }
    assert_eq!(
        came.header("content-security-policy").is_some(),
        !listed("content-security-policy").is_empty()
    );
}

/// What comes before the recorded steps: a person signs in, and the client gets a code.
#[tokio::test]
async fn a_user_signs_in_and_the_client_gets_tokens() {
    let sandbox = empty().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let authorize = "/oauth/authorize?client_id=testcli&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&response_type=code&state=s1";
    let before = http.get("", authorize).await;
    assert_eq!((before.status, before.header("location")), (302, Some("/oauth/login")));
    let login = |password: &str| json!({ "user_id": "alice", "password": password }).to_string();
    let wrong = http.send("POST", "", "/oauth/api/auth/login", &login("wrong")).await;
    assert_eq!((wrong.status, wrong.error()), (400, "no_user_id_password_match"));
    let signed = http.send("POST", "", "/oauth/api/auth/login", &login("sandbox")).await;
    assert_eq!(signed.status, 204);
    let cookie = signed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("_session="), "{cookie}");

    let info = http.request("GET", "/api/v3/auth_info", &[("Cookie", &cookie)], "").await.unwrap();
    assert_eq!(info.body["user_session"]["user_ids"]["user_id"], "alice");
    let path = "/api/v3/users/alice/applications";
    let forged = http.request("POST", path, &[("Cookie", &cookie)], "{}").await.unwrap();
    assert_eq!((forged.status, forged.error()), (403, "invalid_csrf_token"));

    let given = http.request("GET", authorize, &[("Cookie", &cookie)], "").await.unwrap();
    let location = url::Url::parse(given.header("location").unwrap()).unwrap();
    let pairs: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    assert_eq!((given.status, &*pairs[1].1), (302, "s1"));
    let exchange = json!({
        "grant_type": "authorization_code", "code": pairs[0].1, "client_id": "testcli", "client_secret": "testsecret",
        "redirect_uri": "http://127.0.0.1:9/cb",
    });
    let json = [("Content-Type", "application/json")];
    let granted = http.request("POST", "/oauth/token", &json, &exchange.to_string()).await.unwrap();
    let access = granted.body["access_token"].as_str().unwrap();
    let info = http.get(access, "/api/v3/auth_info").await;
    assert_eq!(info.body["oauth_access_token"]["client_ids"]["client_id"], "testcli");
}
