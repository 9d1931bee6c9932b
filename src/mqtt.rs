//! What to sign in with at a network's MQTT server, where applications' messages come from.
//!
//! V2: the application's id, and an access key of it. The Things Stack: the application's id with the tenant's behind it
//! (`my-app@ttn`; without one on an installation that has no tenants), and an API key.

use crate::{AppId, Credentials, Error, ErrorKind, Result, Secret};

/// Username and password. `Debug` shows the username only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MqttLogin {
    /// The application, and its tenant.
    pub username: String,
    /// The key.
    pub password: Secret,
}

impl Credentials {
    /// What to sign in with at the MQTT server of the application's network. `tenant` is The Things Stack's, such as `ttn`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`] for a bearer token, which MQTT servers do not take; [`ErrorKind::InvalidArgument`]
    /// for an application id or a tenant that is not valid, or a tenant with an access key of V2.
    ///
    /// ```
    /// use ttn_auth::{AppId, Credentials};
    /// let login = Credentials::api_key("NNSXS.ID.SECRET")?.mqtt(&AppId::new("my-app")?, Some("ttn"))?;
    /// assert_eq!(login.username, "my-app@ttn");
    /// # Ok::<(), ttn_auth::Error>(())
    /// ```
    pub fn mqtt(&self, app: &AppId, tenant: Option<&str>) -> Result<MqttLogin> {
        let refused = |message: &str| Err(Error::new(ErrorKind::InvalidArgument, message));
        let username = match (self, tenant) {
            (Self::Token(_), _) => {
                return Err(Error::new(
                    ErrorKind::InvalidCredentials,
                    "MQTT servers take an access key (V2) or an API key (The Things Stack), no bearer token",
                ));
            }
            (Self::Key(_), Some(_)) => return refused("V2 has no tenants: leave the tenant out"),
            (Self::ApiKey(_), Some(tenant)) => match AppId::new(tenant) {
                Ok(tenant) => format!("{}@{}", app.as_str(), tenant.as_str()),
                Err(_) => return refused("the tenant is not valid: it is a name such as ttn"),
            },
            (_, None) => app.as_str().to_owned(),
        };
        Ok(MqttLogin { username, password: self.secret().clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(secret: &str, tenant: Option<&str>) -> Result<(String, String)> {
        let login = Credentials::parse(secret)?.mqtt(&AppId::new("app1").unwrap(), tenant)?;
        assert!(!format!("{login:?}").contains(secret));
        Ok((login.username, login.password.expose().to_owned()))
    }

    #[test]
    fn each_network_has_its_own_username() {
        let v3 = "NNSXS.ID.SECRET";
        assert_eq!(login(v3, Some("ttn")).unwrap(), ("app1@ttn".into(), v3.into()));
        assert_eq!(login(v3, None).unwrap(), ("app1".into(), v3.into()));
        assert_eq!(login("ttn-account-v2.k", None).unwrap(), ("app1".into(), "ttn-account-v2.k".into()));
        assert_eq!(login("ttn-account-v2.k", Some("ttn")).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(login(v3, Some("a b@c")).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(login("MFRWG.A.B", Some("ttn")).unwrap_err().kind(), ErrorKind::InvalidCredentials);
    }
}
