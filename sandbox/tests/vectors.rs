//! The recorded vectors against the sandbox: all pass, and each one that is changed by a character fails.

use std::process::{Command, Output};

use serde_json::{Value, json};
use ttn_auth_sandbox::vectors::{self, Exception, Report, VectorFile, Verdict};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/v2.json");

fn recorded() -> Value {
    serde_json::from_str(&std::fs::read_to_string(RECORDED).unwrap()).unwrap()
}

async fn run(file: &Value) -> Report {
    vectors::run(&VectorFile::parse(&file.to_string()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn every_recorded_vector_passes() {
    let report = run(&recorded()).await;
    assert!(report.failed().is_empty(), "{report}");
    assert_eq!(report.outcomes.len(), 249);
    assert_eq!(report.passed(), 248);
    let left_out = &report.exceptions()[&Exception::CannotSend];
    let names: Vec<&str> = left_out.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!(names, ["metadata Token (upper case name)"]);
}

/// Changes one character of a text.
fn change(text: &str, at: usize) -> String {
    let changed = |c: char| match c {
        '0'..='8' | 'a'..='y' | 'A'..='Y' => char::from_u32(c as u32 + 1).unwrap(),
        _ => '0',
    };
    text.chars().enumerate().map(|(i, c)| if i == at { changed(c) } else { c }).collect()
}

fn change_first(value: &mut Value) -> bool {
    change_at(value, 0)
}

fn change_last(value: &mut Value) -> bool {
    let length = value.as_str().map_or(0, |text| text.chars().count());
    change_at(value, length.saturating_sub(1))
}

fn change_at(value: &mut Value, at: usize) -> bool {
    match value {
        Value::String(text) if !text.is_empty() => *text = change(text, at),
        Value::Number(number) => *value = json!(number.as_f64().unwrap() + 1.0),
        _ => return false,
    }
    true
}

/// Changes the first text or number inside a JSON value.
fn change_leaf(value: &mut Value) -> bool {
    match value {
        Value::Array(list) => list.iter_mut().any(change_leaf),
        Value::Object(fields) => fields.values_mut().any(change_leaf),
        leaf => change_first(leaf),
    }
}

fn change_integer(value: &mut Value) -> bool {
    value.as_i64().is_some_and(|number| {
        *value = json!(number + 1);
        true
    })
}

/// The value of a recorded header or metadata entry whose name begins so.
fn entry<'a>(list: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let pairs = list.as_array_mut()?;
    let pair = pairs.iter_mut().find(|pair| pair[0].as_str().is_some_and(|other| other.starts_with(name)))?;
    pair.get_mut(1)
}

/// Runs the file with one kind of change made to every vector that it applies to, and expects exactly those to fail.
async fn expect_all_caught(what: &str, mut mutate: impl FnMut(&mut Value) -> bool) {
    let mut file = recorded();
    let list = file["vectors"].as_array_mut().unwrap();
    let changed: Vec<bool> = list.iter_mut().map(&mut mutate).collect();
    assert!(changed.contains(&true), "{what} applies to no vector");
    let report = run(&file).await;
    for (outcome, changed) in report.outcomes.iter().zip(&changed) {
        let failed = matches!(outcome.verdict, Verdict::Failed(_));
        assert_eq!(failed, *changed, "{what}: {}: {:?}", outcome.name, outcome.verdict);
    }
    println!("{what}: {} caught", changed.iter().filter(|changed| **changed).count());
}

/// Vectors of which, by rule, only the code or nothing is compared.
fn by_code_only(vector: &Value) -> bool {
    let (method, app) = (vector["method"].as_str().unwrap_or(""), &vector["request"]["app"]);
    method.ends_with("/GetStatus") || app.get("decoder").is_some() || app.get("encoder").is_some()
}

#[tokio::test]
async fn a_changed_grpc_expectation_is_caught() {
    expect_all_caught("code", |v| {
        // Where a payload function would run, 12 is expected whatever was recorded.
        let function =
            v["request"]["app"].get("decoder").is_some() || v["request"]["app"].get("encoder").is_some();
        !function && v["expect"].get_mut("code").is_some_and(change_integer)
    })
    .await;
    expect_all_caught("first character of message", |v| {
        change_at_grpc(v, |e| change_first(&mut e["message"]))
    })
    .await;
    expect_all_caught("last character of message", |v| {
        let unreadable = v["expect"]["message"].as_str().is_some_and(|m| m.contains("unable to parse token"));
        !unreadable && change_at_grpc(v, |e| change_last(&mut e["message"]))
    })
    .await;
    expect_all_caught("response", |v| change_at_grpc(v, |e| change_leaf(&mut e["response"]))).await;
    expect_all_caught("response_base64", |v| {
        change_at_grpc(v, |e| match e.get_mut("response_base64") {
            Some(text) => change_at(text, text.as_str().unwrap().len() / 2),
            None => false,
        })
    })
    .await;
    for name in ["total", "selected"] {
        expect_all_caught(name, |v| {
            change_at_grpc(v, |e| {
                e.get_mut("initial_metadata").and_then(|m| entry(m, name)).is_some_and(change_first)
            })
        })
        .await;
    }
}

fn change_at_grpc(vector: &mut Value, change: impl Fn(&mut Value) -> bool) -> bool {
    let comparable = vector["transport"] == "grpc"
        && !by_code_only(vector)
        && vector["expect"].get("transport_error").is_none();
    comparable && change(&mut vector["expect"])
}

#[tokio::test]
async fn a_changed_http_expectation_is_caught() {
    expect_all_caught("status", |v| v["transport"] == "http" && change_integer(&mut v["expect"]["status"]))
        .await;
    for name in ["content-type", "grpc-metadata-", "x-content-type-options"] {
        expect_all_caught(name, |v| {
            v["transport"] == "http" && entry(&mut v["expect"]["headers"], name).is_some_and(change_last)
        })
        .await;
    }
    expect_all_caught("body", |v| {
        if v["transport"] != "http" {
            return false;
        }
        let expect = &mut v["expect"];
        let body = expect["body"].as_str().unwrap().to_owned();
        let at = match expect["status"].as_i64().unwrap() {
            400 => match body.find("\"code\":") {
                Some(at) => at + 7,
                None => return false, // A text alone, whose code is the status.
            },
            500 => body.find("\"message\":").unwrap() + 11, // Not the details of an unreadable token.
            _ if body.is_empty() => return false,
            _ => body.chars().count() / 2,
        };
        expect["body"] = change(&body, at).into();
        true
    })
    .await;
}

/// A request that asks for something else gives another answer.
#[tokio::test]
async fn a_changed_request_is_caught() {
    let mut left = vec![
        ("grpc", "token valid", "/request/app_id", 7),
        ("grpc", "key valid, issuer prefix", "/metadata/0/1", 20),
        ("grpc", "key unknown issuer", "/metadata/0/1", 0),
        ("grpc", "token empty + key valid", "/metadata/0/0", 0),
        ("http", "token valid", "/path", 3),
        ("http", "key valid, issuer prefix", "/headers/0/1", 0),
        ("http", "Authorization: KEY x", "/headers/0/0", 0),
        ("http", "HEAD", "/method", 0),
        ("http", "limit=x", "/path", 30),
        ("http", "POST camelCase appId", "/body", 11),
    ];
    let total = left.len();
    let mut caught = 0;
    expect_all_caught("request", |v| {
        let at =
            left.iter().position(|(transport, name, ..)| v["transport"] == *transport && v["name"] == *name);
        at.is_some_and(|at| {
            let (_, _, field, character) = left.remove(at);
            caught += 1;
            change_at(v.pointer_mut(field).unwrap(), character)
        })
    })
    .await;
    assert!(caught >= total - 1, "no such vectors: {left:?}");
}

/// Every single character of what is expected counts, names of fields and punctuation too.
#[tokio::test]
async fn any_changed_character_of_an_expectation_is_caught() {
    let list = recorded();
    for name in ["token valid", "no credential"] {
        for vector in list["vectors"].as_array().unwrap().iter().filter(|v| v["name"] == name) {
            let mut vector = vector.clone();
            if let Some(headers) = vector["expect"].get_mut("headers").and_then(Value::as_array_mut) {
                // How the answer is framed is not compared.
                headers.retain(|header| header[0] != "trailer" && header[0] != "transfer-encoding");
            }
            let expect = vector["expect"].to_string();
            let mut vectors = Vec::new();
            for at in 0..expect.chars().count() {
                // What is no JSON any more is refused as a whole.
                if let Ok(changed) = serde_json::from_str::<Value>(&change(&expect, at)) {
                    let mut copy = vector.clone();
                    copy["expect"] = changed;
                    vectors.push(copy);
                }
            }
            assert!(vectors.len() > 20);
            let report = run(&json!({ "about": list["about"], "vectors": vectors })).await;
            for (outcome, vector) in report.outcomes.iter().zip(&vectors) {
                assert!(matches!(outcome.verdict, Verdict::Failed(_)), "passed: {}", vector["expect"]);
            }
        }
    }
}

fn command(argument: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vectors")).arg(argument).output().unwrap()
}

#[test]
fn the_command_counts_last_and_exits_by_what_it_found() {
    let good = command(RECORDED);
    let text = String::from_utf8(good.stdout).unwrap();
    assert_eq!(good.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().last(), Some("248 passed, 0 failed"));
    assert!(text.contains("1 x left out") && text.contains("metadata Token (upper case name)"), "{text}");
    assert!(!text.contains("eyJ"), "a token is printed: {text}");

    let mut file = recorded();
    change_first(&mut file["vectors"][1]["expect"]["response_base64"]);
    let path = std::env::temp_dir().join(format!("vectors-{}.json", std::process::id()));
    std::fs::write(&path, file.to_string()).unwrap();
    let bad = command(path.to_str().unwrap());
    std::fs::write(&path, "{").unwrap();
    let broken = command(path.to_str().unwrap());
    std::fs::remove_file(&path).unwrap();
    let text = String::from_utf8(bad.stdout).unwrap();
    assert_eq!((bad.status.code(), text.lines().last()), (Some(1), Some("247 passed, 1 failed")));
    assert!(text.contains("FAILED token valid (grpc)\n    response_base64: expected "), "{text}");
    assert_eq!(broken.status.code(), Some(2));
    assert!(String::from_utf8(broken.stderr).unwrap().contains("not JSON"));
    assert_eq!(command("/nowhere/vectors.json").status.code(), Some(2));
}

/// A file recorded elsewhere: another issuer, the other algorithm, other applications and devices.
#[tokio::test]
async fn the_fixtures_that_a_file_names_are_there() {
    let get = |metadata: Value, expect: Value| {
        json!({
            "name": metadata.to_string(), "transport": "grpc", "metadata": metadata, "expect": expect,
            "method": "/handler.ApplicationManager/GetDevice", "request": { "app_id": "plants", "dev_id": "fern" },
        })
    };
    let refused = |message: &str| {
        json!({
            "code": 7, "response": null,
            "message": format!("permission denied: {message}"),
        })
    };
    let found = || {
        json!({
            "code": 0, "message": "",
            "response": {
                "app_id": "plants", "dev_id": "fern",
                "lorawan_device": {
                    "app_id": "plants", "dev_id": "fern", "app_eui": "70B3D57ED00000AA", "dev_eui": "00000000000000BB",
                    "dev_addr": "", "nwk_s_key": "", "app_s_key": "", "app_key": "", "activation_constraints": "local",
                },
            },
        })
    };
    let file = json!({
        "about": "Recorded from a Handler (issuer acme, RS256): applications plants and animals registered, device \
                  fern (app_eui 70B3D57ED00000AA, dev_eui 00000000000000BB) in plants.",
        "vectors": [
            get(json!([["token", "{{token kind=valid app=plants}}"]]), found()),
            get(json!([["key", "acme.full-plants"]]), found()),
            get(json!([["key", "acme.k99-plants"]]), found()),
            get(json!([["token", "{{token kind=wrongalg app=plants}}"]]),
                refused("unable to parse token: expected algorithm RS256 but got ES256")),
            get(json!([["token", "{{token kind=badsig app=plants}}"]]),
                refused("unable to parse token: crypto/rsa: verification error")),
            get(json!([["token", "{{token kind=valid app=animals}}"]]),
                refused("No \"devices\" rights to Application \"plants\"")),
        ],
    });
    let report = run(&file).await;
    assert!(report.failed().is_empty(), "{report}");
}
