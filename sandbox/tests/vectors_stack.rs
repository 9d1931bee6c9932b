//! The vectors recorded from The Things Stack against the sandbox's V3 side: all of group auth pass, and each one that is
//! changed by a character fails.

use std::process::{Command, Output};

use serde_json::{Value, json};
use ttn_auth_sandbox::vectors::{self, Exception, Report, VectorFile, Verdict};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/v3.json");

/// Fields that hold something else each time: they count by their form.
const VARIES: [&str; 8] = [
    "correlation_id",
    "created_at",
    "updated_at",
    "session_id",
    "user_session_id",
    "api_key_id",
    "access_token_id",
    "id",
];

fn recorded() -> Value {
    serde_json::from_str(&std::fs::read_to_string(RECORDED).unwrap()).unwrap()
}

async fn run(file: &Value) -> Report {
    vectors::run(&VectorFile::parse(&file.to_string()).unwrap()).await.unwrap()
}

/// The vectors that are run.
fn auth() -> Vec<Value> {
    let mut file = recorded();
    let list = file["vectors"].as_array_mut().unwrap();
    list.retain(|v| v["group"] == "auth" && !left_out(v));
    list.clone()
}

fn left_out(vector: &Value) -> bool {
    vector["transport"] == "grpc" && vector["name"].as_str().unwrap().ends_with("/tab_separator")
}

#[tokio::test]
async fn every_recorded_vector_of_group_auth_passes() {
    let report = run(&recorded()).await;
    assert!(report.failed().is_empty(), "{report}");
    assert_eq!((report.outcomes.len(), report.passed()), (462, 337));
    let exceptions = report.exceptions();
    let names: Vec<&str> =
        exceptions[&Exception::RecorderRefused].iter().map(|outcome| outcome.name.as_str()).collect();
    let expected =
        ["auth_info", "get_app1", "list_apps", "get_app1_name"].map(|call| format!("{call}/tab_separator"));
    assert_eq!(names, expected);
    assert!(exceptions[&Exception::Sequence].iter().all(|outcome| outcome.group.starts_with("flow ")));
    assert_eq!(exceptions.len(), 2);
}

/// Changes one character of a text.
fn change(text: &str, at: usize) -> String {
    let changed = |c: char| match c {
        '0'..='8' | 'a'..='y' | 'A'..='Y' => char::from_u32(c as u32 + 1).unwrap(),
        _ => '0',
    };
    text.chars().enumerate().map(|(i, c)| if i == at { changed(c) } else { c }).collect()
}

fn change_value(value: &mut Value, last: bool) -> bool {
    match value {
        Value::String(text) if !text.is_empty() => {
            let at = if last { text.chars().count() - 1 } else { 0 };
            *text = change(text, at);
        }
        Value::Number(number) => *value = json!(number.as_f64().unwrap() + 1.0),
        _ => return false,
    }
    true
}

/// Changes the leaf with this number inside a JSON value, of those that do not vary; whether there is one.
fn change_leaf(value: &mut Value, number: &mut usize, last: bool) -> bool {
    match value {
        Value::Array(list) => list.iter_mut().any(|item| change_leaf(item, number, last)),
        Value::Object(fields) => fields
            .iter_mut()
            .any(|(name, value)| !VARIES.contains(&name.as_str()) && change_leaf(value, number, last)),
        leaf if *number == 0 => change_value(leaf, last),
        _ => {
            *number -= 1;
            false
        }
    }
}

/// Runs changed copies of the vectors, and expects all of them to fail.
async fn expect_all_caught(what: &str, at_least: usize, mutate: impl Fn(&mut Value) -> bool) {
    let mut list = auth();
    list.retain_mut(|vector| mutate(&mut vector["expect"]));
    assert!(list.len() >= at_least, "{what}: {} vectors", list.len());
    let report = run(&json!({ "vectors": list })).await;
    for outcome in &report.outcomes {
        assert!(matches!(outcome.verdict, Verdict::Failed(_)), "{what}: passed: {}", outcome.name);
    }
    println!("{what}: {} caught", list.len());
}

fn change_integer(value: Option<&mut Value>) -> bool {
    value.is_some_and(|value| value.as_i64().is_some() && change_value(value, false))
}

#[tokio::test]
async fn a_changed_status_or_code_is_caught() {
    expect_all_caught("status", 160, |e| change_integer(e.get_mut("status"))).await;
    expect_all_caught("code_num", 160, |e| change_integer(e.get_mut("code_num"))).await;
    expect_all_caught("code", 160, |e| e.get_mut("code").is_some_and(|code| change_value(code, true))).await;
    expect_all_caught("code in the body", 80, |e| {
        e.get_mut("body").is_some_and(|body| change_integer(body.get_mut("code")))
    })
    .await;
}

#[tokio::test]
async fn a_changed_text_of_an_error_is_caught() {
    for last in [false, true] {
        let message = |e: &mut Value| e.get_mut("message").is_some_and(|text| change_value(text, last));
        expect_all_caught("message over gRPC", 80, message).await;
        let body = |e: &mut Value| e.get_mut("body").is_some_and(message);
        expect_all_caught("message over HTTP", 80, body).await;
    }
}

/// Every leaf of bodies, messages and details, by its first and its last character.
#[tokio::test]
async fn every_changed_leaf_is_caught() {
    for (part, at_least) in [("body", 120), ("details", 80), ("response", 30)] {
        let mut leaf = 0;
        loop {
            if !auth().iter_mut().any(|v| change_part(&mut v["expect"], part, leaf, false)) {
                break;
            }
            for last in [false, true] {
                let at_least = if leaf == 0 { at_least } else { 1 };
                let what = format!("leaf {leaf} of {part}");
                expect_all_caught(&what, at_least, |e| change_part(e, part, leaf, last)).await;
            }
            leaf += 1;
        }
        assert!(leaf > 2, "{part} has {leaf} leaves at most");
    }
}

fn change_part(expect: &mut Value, part: &str, mut leaf: usize, last: bool) -> bool {
    expect.get_mut(part).is_some_and(|part| change_leaf(part, &mut leaf, last))
}

#[tokio::test]
async fn a_changed_or_missing_header_is_caught() {
    for at in 0..9 {
        for place in [0, 1] {
            expect_all_caught("header", 1, |e| {
                let header = e.get_mut("headers").and_then(|headers| headers.get_mut(at));
                header.is_some_and(|header| change_value(&mut header[place], true))
            })
            .await;
        }
        expect_all_caught("a header less", 1, |e| {
            let headers = e.get_mut("headers").and_then(Value::as_array_mut);
            headers.is_some_and(|headers| {
                at < headers.len() && {
                    headers.remove(at);
                    true
                }
            })
        })
        .await;
    }
    let grpc = |e: &mut Value, part: &str, name: &str| {
        e.get_mut(part)
            .and_then(|part| part.get_mut(name))
            .is_some_and(|values| change_value(&mut values[0], true))
    };
    expect_all_caught("content-type", 160, |e| grpc(e, "header", "content-type")).await;
    expect_all_caught("x-request-id", 3, |e| {
        let own = e["header"]["x-request-id"][0] == "my-request-id";
        own && grpc(e, "header", "x-request-id")
    })
    .await;
    expect_all_caught("x-total-count", 10, |e| grpc(e, "header", "x-total-count")).await;
    expect_all_caught("trailer", 80, |e| {
        let sizes = e.get_mut("trailer").and_then(|trailer| trailer.get_mut("grpc-status-details-bin"));
        sizes.is_some_and(|sizes| {
            sizes[0] = change(sizes[0].as_str().unwrap(), 2).into();
            true
        })
    })
    .await;
    expect_all_caught("a part less", 160, |e| e.as_object_mut().unwrap().remove("header").is_some()).await;
}

/// A request that asks for something else, or as somebody else, gives another answer.
#[tokio::test]
async fn a_changed_request_is_caught() {
    let changes = [
        ("http", "auth_info/valid", "app1_all", "app2_all"),
        ("http", "get_app1/none", "app1", "app2"),
        ("http", "get_app1/trailing_blank", "} \"", "}x\""),
        ("grpc", "auth_info/valid", "Bearer", "Basic"),
        ("grpc", "list_devices/user_key_list", "apps_list", "all"),
        ("grpc", "get_app1_name/valid", "field_mask", "field_nask"),
        ("grpc", "auth_info/twice_bad_good", "app1_all", "app1_expired"),
        ("grpc", "auth_info/extra_headers", "x-request-id", "x-request-ix"),
    ];
    let mut list = Vec::new();
    for vector in auth() {
        for (transport, name, from, to) in changes {
            if vector["transport"] == transport && vector["name"] == name {
                let mut vector = vector.clone();
                let request = vector["request"].to_string();
                assert!(request.contains(from), "{request}");
                vector["request"] = serde_json::from_str(&request.replace(from, to)).unwrap();
                list.push(vector);
            }
        }
    }
    assert!(list.len() >= 5, "{} of them are recorded", list.len());
    let report = run(&json!({ "vectors": list })).await;
    assert_eq!(report.passed(), 0, "{report}");
}

/// Every single character of what is expected counts, names of fields and punctuation too.
#[tokio::test]
async fn any_changed_character_of_an_expectation_is_caught() {
    let mut seen = 0;
    for vector in auth().iter().filter(|v| v["name"] == "list_devices/key_info_only") {
        seen += 1;
        let expect = vector["expect"].to_string();
        let id = expect.find("\"correlation_id\":\"").unwrap() + 18;
        let request_id = expect.find("\"x-request-id\":[\"").map_or(0, |at| at + 17);
        let varies = |at: usize| {
            (id..id + 32).contains(&at) || request_id > 0 && (request_id..request_id + 26).contains(&at)
        };
        let mut vectors = Vec::new();
        for at in (0..expect.chars().count()).filter(|at| !varies(*at)) {
            // What is no JSON any more is refused as a whole.
            if let Ok(changed) = serde_json::from_str::<Value>(&change(&expect, at)) {
                let mut copy = vector.clone();
                copy["expect"] = changed;
                vectors.push(copy);
            }
        }
        assert!(vectors.len() > 200);
        let report = run(&json!({ "vectors": vectors })).await;
        for (outcome, vector) in report.outcomes.iter().zip(&vectors) {
            assert!(matches!(outcome.verdict, Verdict::Failed(_)), "passed: {}", vector["expect"]);
        }
    }
    assert_eq!(seen, 2);
}

fn command(argument: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vectors")).arg(argument).output().unwrap()
}

#[test]
fn the_command_counts_last_and_exits_by_what_it_found() {
    let good = command(RECORDED);
    let text = String::from_utf8(good.stdout).unwrap();
    assert_eq!(good.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().last(), Some("337 passed, 0 failed"));
    for said in ["auth_info/tab_separator (grpc)", "group flow crud: 59", "group flow oauth: 25"] {
        assert!(text.contains(said), "{text}");
    }
    let mut file = recorded();
    file["vectors"][3]["expect"]["body"]["api_key"]["api_key"]["name"] = "al1".into();
    let path = std::env::temp_dir().join(format!("vectors-v3-{}.json", std::process::id()));
    std::fs::write(&path, file.to_string()).unwrap();
    let bad = command(path.to_str().unwrap());
    std::fs::remove_file(&path).unwrap();
    let text = String::from_utf8(bad.stdout).unwrap();
    assert_eq!((bad.status.code(), text.lines().last()), (Some(1), Some("336 passed, 1 failed")));
    assert!(text.contains("FAILED auth_info/valid (http)\n    body: expected "), "{text}");
    assert!(!text.contains("NNSXS."), "a key is printed: {text}");
}
