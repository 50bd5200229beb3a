//! The addresses of a message broker. They may hold a password, so they are printed without.

use std::fmt;

use percent_encoding::percent_decode_str;

/// The servers of a broker, comma separated, each `nats://HOST:PORT`, with `USER:PASSWORD@` or
/// `TOKEN@` before the host where the broker asks for them. Printed, for people or for debugging,
/// it is without those.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl(String);

/// What a broker is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    None,
    Token(String),
    Password { user: String, password: String },
}

impl BrokerUrl {
    pub(crate) fn new(servers: String) -> Self {
        Self(servers)
    }

    /// Each server as it is written.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }

    /// Each server without credentials.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = String> {
        self.servers().map(|server| match split(server) {
            (scheme, Some(_), host) => format!("{scheme}{host}"),
            _ => server.to_owned(),
        })
    }

    /// The credentials of the first server that has any: all servers of a broker know the same.
    pub(crate) fn credentials(&self) -> Credentials {
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let Some(credentials) = self.servers().find_map(|server| split(server).1) else {
            return Credentials::None;
        };
        match credentials.split_once(':') {
            Some((user, password)) => Credentials::Password {
                user: decoded(user),
                password: decoded(password),
            },
            None => Credentials::Token(decoded(credentials)),
        }
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.addresses().collect();
        f.write_str(&addresses.join(","))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// The scheme with its slashes, the credentials, and the rest. A password may have any letter but
/// `/` and `,`.
fn split(server: &str) -> (&str, Option<&str>, &str) {
    let start = server.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = server.split_at(start);
    match rest.rsplit_once('@') {
        Some((credentials, host)) => (scheme, Some(credentials), host),
        None => (scheme, None, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_used_and_never_printed() {
        let url = BrokerUrl::new("nats://ana:s%40cret@a:4222,nats://b:4222".to_owned());
        for text in [
            format!("{url}"),
            format!("{url:?}"),
            format!("{:?}", url.credentials()),
        ] {
            assert!(!text.contains("cret") && !text.contains("ana"), "{text}");
        }
        assert_eq!(url.to_string(), "nats://a:4222,nats://b:4222");
        let expected = Credentials::Password {
            user: "ana".to_owned(),
            password: "s@cret".to_owned(),
        };
        assert!(url.credentials() == expected);
        let token = BrokerUrl::new("nats://t0ken@[::1]:4222".to_owned());
        assert!(token.credentials() == Credentials::Token("t0ken".to_owned()));
        assert_eq!(token.to_string(), "nats://[::1]:4222");
        let none = BrokerUrl::new("nats://a:4222".to_owned());
        assert!(none.credentials() == Credentials::None);
    }
}
