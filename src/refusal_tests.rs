use super::*;

fn failure(body: &'static [u8]) -> Error {
    http(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new(), body)
}

#[test]
fn bodies_that_are_not_v2s_json_stay_unsaid() {
    let error = failure(b"<html>hunter2</html>");
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Server, "the server answered 500 Internal Server Error")
    );
    let body = br#"{"error":"E","code":2,"message":"handler:device:a:b not found"}"#;
    let error = failure(body);
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::NotFound, Some(500)));
}

#[test]
fn only_a_handler_speaks_of_its_account_server() {
    for (body, kind) in [
        (&br#"{"error":"Bad Gateway","code":2,"message":"Bad Gateway"}"#[..], ErrorKind::ExchangeUnavailable),
        (br#"{"status":500,"error":"Internal Server Error","path":"/x"}"#, ErrorKind::Server),
        (br#"{"message":"Internal Server Error"}"#, ErrorKind::Server),
    ] {
        assert_eq!(failure(body).kind(), kind);
    }
}

const RIGHTS: &str = r#"{"code":7,"message":"error:pkg/auth/rights:insufficient_application_rights (insufficient rights)",
    "details":[{"@type":"type.googleapis.com/x"},{"@type":"type.googleapis.com/ttn.lorawan.v3.ErrorDetails",
    "namespace":"pkg/auth/rights","name":"insufficient_application_rights","message_format":"x",
    "attributes":{"missing":["RIGHT_APPLICATION_DEVICES_READ"],"uid":"app1"},"correlation_id":"c","code":7}]}"#;

#[test]
fn the_things_stack_says_what_is_missing_also_of_a_stream() {
    let stream = format!(r#"{{"error":{RIGHTS}}}"#);
    for body in [RIGHTS, &stream] {
        let error = http(StatusCode::FORBIDDEN, &HeaderMap::new(), body.as_bytes());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let text = "error:pkg/auth/rights:insufficient_application_rights (insufficient rights); \
                    missing: RIGHT_APPLICATION_DEVICES_READ";
        assert_eq!(error.message(), text);
        let details = error.details().unwrap();
        assert_eq!(
            (&*details.namespace, &*details.name, details.correlation_id.as_deref()),
            ("pkg/auth/rights", "insufficient_application_rights", Some("c"))
        );
        assert_eq!(details.attributes["uid"], "app1");
    }
}

#[test]
fn the_same_cause_has_the_same_kind_over_both_transports() {
    use ErrorKind::*;
    for (status, code, text, kind) in [
        (401, 16, "error:pkg/identityserver:unauthenticated (unauthenticated)", MissingCredentials),
        (401, 16, "error:pkg/identityserver:api_key_not_found (API key not found)", InvalidKey),
        (404, 5, "error:pkg/identityserver/store:api_key_not_found (API key not found)", NotFound),
        (401, 16, "error:pkg/identityserver:api_key_expired (api key expired)", KeyExpired),
        (401, 16, "error:pkg/identityserver:invalid_authorization (invalid authorization)", InvalidToken),
        (401, 16, "error:pkg/identityserver:unsupported_authorization (unsupported)", InvalidToken),
        (401, 16, "error:pkg/identityserver:token_expired (token expired)", TokenExpired),
        (401, 16, "error:pkg/identityserver:token_not_found (token not found)", InvalidToken),
        (400, 3, "error:pkg/auth:token (invalid token)", InvalidToken),
        (
            403,
            7,
            "error:pkg/auth/rights:no_application_rights (no rights for application `app1`)",
            PermissionDenied,
        ),
        (
            404,
            5,
            "error:pkg/identityserver/store:application_not_found (application with id `x` not found)",
            NotFound,
        ),
        (409, 6, "error:pkg/util/store:id_taken (ID already taken)", AlreadyExists),
        (409, 10, "error:pkg/redis:conflict (conflict)", Server),
        (
            400,
            9,
            "error:pkg/identityserver:application_has_devices (application still has `4` devices)",
            InvalidArgument,
        ),
        (
            400,
            3,
            "error:pkg/rpcmiddleware/validator:field_mask_paths (forbidden path(s) in field mask)",
            InvalidArgument,
        ),
        (429, 8, "error:pkg/ratelimit:rate_limit_exceeded (rate limit exceeded)", RateLimited),
        (500, 13, "error:unknown:unknown (header key \"authorization\" contains value)", Server),
    ] {
        let body = serde_json::json!({ "code": code, "message": text }).to_string();
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(http(status, &HeaderMap::new(), body.as_bytes()).kind(), kind, "{text}");
        assert_eq!(grpc(code, text, &HeaderMap::new(), &HeaderMap::new()).kind(), kind, "{text}");
    }
    // What the gateway says itself has no name, and is about the route.
    for (status, body, kind) in [
        (404, r#"{"code":5,"message":"Not Found"}"#, Unimplemented),
        (501, r#"{"code":12,"message":"Method Not Allowed"}"#, Unimplemented),
        (400, r#"{"code":3,"message":"unexpected EOF"}"#, InvalidArgument),
        (431, "Request Header Fields Too Large", InvalidArgument),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(http(status, &HeaderMap::new(), body.as_bytes()).kind(), kind, "{body}");
    }
}

/// Every recorded refusal of The Things Stack: where it came from, and what our client makes of it.
fn recorded() -> Vec<(String, bool, Error)> {
    let file: Value = serde_json::from_str(include_str!("../tests/vectors/v3.json")).unwrap();
    let read = |vector: &Value| {
        let (name, expect) = (vector["name"].as_str()?.to_owned(), &vector["expect"]);
        if vector["transport"] == "grpc" {
            let code = i32::try_from(expect["code_num"].as_i64()?).ok().filter(|code| *code != 0)?;
            let text = expect["message"].as_str().unwrap_or_default();
            return Some((name, false, grpc(code, text, &HeaderMap::new(), &HeaderMap::new())));
        }
        let status = StatusCode::from_u16(expect["status"].as_u64()?.try_into().ok()?).ok()?;
        let body = match &expect["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        (status.as_u16() >= 300).then(|| (name, true, http(status, &HeaderMap::new(), body.as_bytes())))
    };
    file["vectors"].as_array().unwrap().iter().filter_map(read).collect()
}

#[test]
fn every_recorded_refusal_of_the_things_stack_has_the_kind_of_its_cause() {
    use ErrorKind::*;
    // By the error's name, told by hand; what is not listed must not occur.
    let kind_of = |name: &str| match name {
        "unauthenticated" => MissingCredentials,
        "api_key_not_found" => InvalidKey,
        "api_key_expired" => KeyExpired,
        "token_expired" => TokenExpired,
        "invalid_authorization" | "unsupported_authorization" | "token_not_found" | "token" => InvalidToken,
        "no_application_rights" | "insufficient_application_rights" | "no_user_rights" => PermissionDenied,
        "admins_purge_applications" | "unauthorized_client" | "invalid_csrf_token" => PermissionDenied,
        "application_not_found" | "end_device_not_found" | "not_found" | "client_not_found" => NotFound,
        "access_token_not_found" | "authorization_code_not_found" => NotFound,
        "id_taken" | "end_device_euis_taken" => AlreadyExists,
        "validation" | "field_mask_paths" | "application_has_devices" => InvalidArgument,
        "missing_grant_type" | "invalid_grant_type" | "missing_refresh_token" | "missing_client_id" => {
            InvalidArgument
        }
        "missing_client_secret" | "no_refresh_token" => InvalidArgument,
        // The header cannot be sent at all.
        "unknown" => Server,
        other => panic!("{other} is not listed"),
    };
    let mut seen = 0;
    for (vector, is_http, error) in recorded() {
        let text = error.message().split("; missing: ").next().unwrap();
        let expected = match the_things_stacks(text) {
            // The body could not be read; its code is Aborted's.
            Some((_, "parse")) => continue,
            Some((_, name)) => kind_of(name),
            // What the gateway says itself.
            None if vector.contains("tab_separator") => Server,
            None if text == "Not Found" || text == "Method Not Allowed" => Unimplemented,
            None => continue,
        };
        assert_eq!(error.kind(), expected, "{vector}: {error:?}");
        if is_http && the_things_stacks(text).is_some() && error.details().is_none() {
            panic!("{vector} has no details: {error:?}");
        }
        seen += 1;
    }
    assert!(seen > 250, "{seen}");
}
