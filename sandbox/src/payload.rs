//! Dry runs of payload functions: what V2 answers without running any. There is no JavaScript engine here, so a function
//! that would run is refused, clearly.

use serde_json::{Map, Value};
use ttn_auth::proto::handler::{
    Application, DryDownlinkMessage, DryDownlinkResult, DryUplinkMessage, DryUplinkResult,
};
use ttn_auth::{Error, ErrorKind, Result};

use crate::cayenne;

enum Format {
    Custom,
    CayenneLpp,
}

fn format(app: &Application) -> Result<Format> {
    match app.payload_format.as_str() {
        "" | "custom" => Ok(Format::Custom),
        "cayennelpp" => Ok(Format::CayenneLpp),
        _ => Err(invalid("App", "unknown payload format")),
    }
}

pub(crate) fn dry_uplink(request: DryUplinkMessage) -> Result<DryUplinkResult> {
    let fields = match &request.app {
        None => String::new(),
        Some(app) => match format(app)? {
            Format::Custom => {
                refuse_functions(&[
                    ("decoder", &app.decoder),
                    ("converter", &app.converter),
                    ("validator", &app.validator),
                ])?;
                // Go's JSON of a map that is not there.
                "null".to_owned()
            }
            Format::CayenneLpp => Value::from(cayenne::decode(&request.payload)?).to_string(),
        },
    };
    Ok(DryUplinkResult { payload: request.payload, fields, valid: true, logs: Vec::new() })
}

pub(crate) fn dry_downlink(request: DryDownlinkMessage) -> Result<DryDownlinkResult> {
    if !request.payload.is_empty() {
        if !request.fields.is_empty() {
            return Err(invalid("Downlink", "Both Fields and Payload provided"));
        }
        return Ok(DryDownlinkResult { payload: request.payload, logs: Vec::new() });
    }
    if request.fields.is_empty() {
        return Err(invalid("Downlink", "Neither Fields nor Payload provided"));
    }
    let app = request.app.ok_or_else(|| invalid("App", "Not specified"))?;
    let format = format(&app)?;
    let fields: Option<Map<String, Value>> =
        serde_json::from_str(&request.fields).map_err(|e| invalid("Fields", &e.to_string()))?;
    let payload = match format {
        Format::CayenneLpp => cayenne::encode(&fields.unwrap_or_default()),
        Format::Custom => {
            refuse_functions(&[("encoder", &app.encoder)])?;
            return Err(invalid("Downlink Payload", "fields supplied, but no Encoder function set"));
        }
    };
    Ok(DryDownlinkResult { payload, logs: Vec::new() })
}

fn refuse_functions(functions: &[(&str, &String)]) -> Result<()> {
    match functions.iter().find(|(_, code)| !code.is_empty()) {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("the sandbox has no JavaScript engine and cannot run the {name}");
            Err(Error::new(ErrorKind::Unimplemented, message).with_grpc_code(12))
        }
    }
}

fn invalid(what: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{what} not valid: {why}")).with_grpc_code(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(payload_format: &str, decoder: &str, encoder: &str) -> Option<Application> {
        Some(Application {
            payload_format: payload_format.into(),
            decoder: decoder.into(),
            encoder: encoder.into(),
            ..Default::default()
        })
    }

    #[test]
    fn uplinks() {
        for (app, expected) in [
            (None, Ok("")),
            (app("", "", ""), Ok("null")),
            (app("custom", "", "x"), Ok("null")),
            (app("cayennelpp", "x", ""), Ok(r#"{"temperature_1":27.2}"#)),
            (app("", "x", ""), Err(12)),
            (app("other", "", ""), Err(3)),
        ] {
            let result =
                dry_uplink(DryUplinkMessage { payload: vec![1, 0x67, 1, 0x10], app: app.clone(), port: 1 });
            let found = result.as_ref().map(|r| r.fields.as_str()).map_err(|e| e.grpc_code().unwrap());
            assert_eq!(found, expected, "{app:?}");
        }
    }

    #[test]
    fn downlinks() {
        let fields = r#"{"value_1":1.5}"#;
        for (payload, fields, app, expected) in [
            (&[1u8][..], "", None, Ok(&[1u8][..])),
            (&[1], "{}", None, Err("Downlink not valid: Both Fields and Payload provided")),
            (&[], "", None, Err("Downlink not valid: Neither Fields nor Payload provided")),
            (&[], fields, None, Err("App not valid: Not specified")),
            (&[], fields, app("other", "", ""), Err("App not valid: unknown payload format")),
            (&[], fields, app("cayennelpp", "", ""), Ok(&[1, 0, 150])),
            (
                &[],
                fields,
                app("", "", ""),
                Err("Downlink Payload not valid: fields supplied, but no Encoder function set"),
            ),
            (
                &[],
                fields,
                app("", "", "x"),
                Err("the sandbox has no JavaScript engine and cannot run the encoder"),
            ),
        ] {
            let request = DryDownlinkMessage { payload: payload.into(), fields: fields.into(), app, port: 1 };
            let result = dry_downlink(request);
            let found = result.as_ref().map(|r| r.payload.as_slice()).map_err(Error::message);
            assert_eq!(found, expected);
        }
        let broken = DryDownlinkMessage { fields: "{".into(), app: app("", "", ""), ..Default::default() };
        assert!(dry_downlink(broken).unwrap_err().message().starts_with("Fields not valid: "));
    }
}
