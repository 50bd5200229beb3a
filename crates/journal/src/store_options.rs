//! Where the parts of a log go in object storage, as it is configured, and whether that can be.

/// An object store, and the place in it where parts are put.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    pub url: String,
    /// The address of a server that speaks S3; that of AWS where there is none.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// Whether the endpoint may be one without TLS.
    pub allow_http: bool,
}

/// Why an object store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object store{}: {problem}", key.map(|key| format!(", {key}")).unwrap_or_default())]
pub struct StoreOptionsError {
    /// The option; none where it is none of them alone.
    pub key: Option<&'static str>,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl StoreOptionsError {
    fn new<T>(key: &'static str, problem: impl Into<String>) -> Result<T, Self> {
        Err(Self {
            key: Some(key),
            problem: problem.into(),
        })
    }
}

/// A bucket, and the folders in it above the parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: Vec<&'a str>,
}

impl StoreOptions {
    /// Checks everything that can be checked without the store.
    pub(crate) fn check(&self) -> Result<Place<'_>, StoreOptionsError> {
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint, self.allow_http)?;
        }
        if self.region.as_ref().is_some_and(String::is_empty) {
            return StoreOptionsError::new("region", "is empty; name the region, or leave it out");
        }
        let place = place(&self.url);
        place.map_or_else(
            || {
                StoreOptionsError::new(
                    "url",
                    format!(
                        "`{}` is not the address of a bucket; write s3://BUCKET or \
                         s3://BUCKET/PREFIX, of letters, digits, `-`, `_`, `.` and `=`",
                        self.url
                    ),
                )
            },
            Ok,
        )
    }
}

fn check_endpoint(endpoint: &str, allow_http: bool) -> Result<(), StoreOptionsError> {
    let host = match endpoint.split_once("://") {
        Some(("https", host)) => host,
        Some(("http", host)) if allow_http => host,
        Some(("http", _)) => {
            return StoreOptionsError::new(
                "endpoint",
                format!("`{endpoint}` has no TLS; write https://, or allow_http = true"),
            );
        }
        _ => "",
    };
    // An `@` would come after a password, which belongs into the environment.
    if host.is_empty() || host.contains(['@', '?', '#', ' ']) {
        return StoreOptionsError::new(
            "endpoint",
            "is not the address of a server; write https://HOST or https://HOST:PORT, and put the \
             credentials into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        );
    }
    Ok(())
}

fn place(url: &str) -> Option<Place<'_>> {
    let mut names = url.strip_prefix("s3://")?.trim_end_matches('/').split('/');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
    let valid = |name: &str| name.bytes().all(allowed) && !name.bytes().all(|byte| byte == b'.');
    let bucket = names.next()?;
    let prefix: Vec<_> = names.collect();
    let all_valid = valid(bucket) && prefix.iter().all(|name| valid(name));
    all_valid.then_some(Place { bucket, prefix })
}

#[cfg(test)]
mod tests {
    use super::{Place, StoreOptions};

    fn refusal(options: &StoreOptions) -> String {
        options.check().map(drop).unwrap_err().to_string()
    }

    fn at(url: &str) -> StoreOptions {
        StoreOptions {
            url: url.to_owned(),
            ..StoreOptions::default()
        }
    }

    #[test]
    fn a_url_names_a_bucket_and_folders_in_it() {
        let place = |bucket, prefix: &[&'static str]| Place {
            bucket,
            prefix: prefix.to_vec(),
        };
        assert_eq!(at("s3://logs").check(), Ok(place("logs", &[])));
        assert_eq!(at("s3://logs/").check(), Ok(place("logs", &[])));
        let (url, prefix) = ("s3://my.logs/feed/team=a/", ["feed", "team=a"]);
        assert_eq!(at(url).check(), Ok(place("my.logs", &prefix)));
        for url in [
            "",
            "logs",
            "s3://",
            "s3:///logs",
            "s3://logs/a//b",
            "s3://logs/../other",
            "s3://KEY:SECRET@logs",
            "s3://logs/a b",
            "gs://logs",
        ] {
            let refusal = refusal(&at(url));
            assert!(refusal.contains("url: `"), "{url}: {refusal}");
            assert!(refusal.contains("write s3://BUCKET"), "{refusal}");
        }
    }

    #[test]
    fn an_endpoint_without_tls_has_to_be_allowed() {
        let with = |endpoint: &str, allow_http| StoreOptions {
            endpoint: Some(endpoint.to_owned()),
            allow_http,
            ..at("s3://logs")
        };
        assert!(with("https://s3.example.org", false).check().is_ok());
        assert!(with("http://127.0.0.1:9000", true).check().is_ok());
        let plain = refusal(&with("http://127.0.0.1:9000", false));
        assert!(plain.contains("endpoint: `http://127.0.0.1:9000` has no TLS"));
        for wrong in ["127.0.0.1:9000", "https://", "ftp://a", "https://a:b@c"] {
            let refusal = refusal(&with(wrong, true));
            assert!(refusal.contains("is not the address of a server"));
            assert!(!refusal.contains("a:b"), "{refusal}");
        }
        let region = StoreOptions {
            region: Some(String::new()),
            ..at("s3://logs")
        };
        assert!(refusal(&region).contains("region: is empty"));
    }
}
