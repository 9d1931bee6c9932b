//! TLS against the sandbox, whose certificate is what V2 Handlers use: a self-signed leaf marked as a CA.

mod support;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::{client, id, sandbox, start};
use ttn_auth::{Client, Credentials, Error, ErrorKind, Secret};
use ttn_auth_sandbox::{Identity, Sandbox, SandboxOptions};

async fn call(sandbox: &Sandbox, address: &str, ca: Option<&str>) -> Result<(), Error> {
    let mut builder = Client::builder(address).credentials(Credentials::parse(&sandbox.access_key())?);
    if let Some(ca) = ca {
        builder = builder.ca(ca);
    }
    builder.build()?.application_manager().get_device(&id("dev-1")).await.map(|_| ())
}

fn identity(certificate: String, key: &KeyPair) -> Option<Identity> {
    Some(Identity::from_pem(certificate, Secret::new(key.serialize_pem())).unwrap())
}

fn both(sandbox: &Sandbox) -> [String; 2] {
    [sandbox.grpcs_address(), sandbox.https_address()]
}

#[tokio::test]
async fn the_leaf_itself_is_trusted_when_given_and_only_then() {
    let sandbox = sandbox().await;
    let other = support::sandbox().await;
    for address in both(&sandbox) {
        call(&sandbox, &address, Some(sandbox.ca())).await.unwrap();
        for ca in [None, Some(other.ca())] {
            let error = call(&sandbox, &address, ca).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls, "{address}: {error:?}");
            assert!(
                error.message().contains("self-signed, and not the one that was given") || ca.is_some(),
                "{error}"
            );
            assert!(!error.is_transient() && error.hint().contains("`ca`"));
        }
        // A bundle of several.
        call(&sandbox, &address, Some(&format!("{}\n{}", other.ca(), sandbox.ca()))).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_the_given_ca_signed_is_trusted() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["ca.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let leaf_key = KeyPair::generate().unwrap();
    let sign = |name: &str| {
        let leaf = CertificateParams::new([name.to_owned()]).unwrap();
        leaf.signed_by(&leaf_key, &Issuer::from_params(&params, &key)).unwrap().pem()
    };
    for (name, trusted) in [("localhost", true), ("other.example", false)] {
        let identity = identity(sign(name), &leaf_key);
        let sandbox = start(SandboxOptions { rate_limit: None, identity, ..Default::default() }).await;
        for address in both(&sandbox) {
            match call(&sandbox, &address, Some(&ca.pem())).await {
                Ok(()) => assert!(trusted, "{address} as {name}"),
                Err(error) => {
                    assert!(!trusted, "{address} as {name}: {error:?}");
                    assert_eq!(error.kind(), ErrorKind::Tls);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_pinned_leaf_must_still_bear_the_name() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["other.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let leaf = params.self_signed(&key).unwrap().pem();
    let identity = identity(leaf.clone(), &key);
    let sandbox = start(SandboxOptions { rate_limit: None, identity, ..Default::default() }).await;
    for address in both(&sandbox) {
        let error = call(&sandbox, &address, Some(&leaf)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
        assert!(error.message().contains("other.example") || error.message().contains("name"), "{error}");
    }
}

#[tokio::test]
async fn plaintext_and_tls_on_the_wrong_port_are_told_apart_from_an_outage() {
    let sandbox = sandbox().await;
    let swap = |address: &str, scheme: &str| format!("{scheme}://{}", address.split_once("://").unwrap().1);
    for (address, scheme) in [
        (sandbox.grpc_address(), "grpcs"),
        (sandbox.http_address(), "https"),
        (sandbox.grpc_address(), "http"),
    ] {
        let client = client(&sandbox, &swap(&address, scheme), &sandbox.access_key());
        let error = client.application_manager().get_device(&id("dev-1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{scheme} to {address}: {error:?}");
    }
}

#[tokio::test]
async fn a_bad_ca_is_found_whatever_the_address_is() {
    for address in ["grpc://localhost", "grpcs://localhost", "http://localhost", "https://localhost"] {
        let error = Client::builder(address).ca("no certificate").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{address}");
        assert!(error.message().starts_with("the CA is not valid"), "{error}");
    }
}
