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
