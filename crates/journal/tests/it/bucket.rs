//! A bucket on this machine: as much of S3 as the upload of parts needs, and the ways in which a
//! store fails.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use counterweight_journal::{PartStore, StoreOptions};

/// How the bucket answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answers {
    AsItShould,
    With503,
    /// Not at all, until this changes.
    Never,
    /// It does what it is asked, and closes the connection.
    NotThoughItDid,
}

#[derive(Clone)]
pub(crate) struct Bucket {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    answers: Answers,
    objects: BTreeMap<String, Vec<u8>>,
    /// How often an object of the name was made.
    made: BTreeMap<String, u64>,
    requests: u64,
}

impl Bucket {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bucket = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                answers,
                objects: BTreeMap::new(),
                made: BTreeMap::new(),
                requests: 0,
            })),
        };
        let served = bucket.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (served, connection) = (served.clone(), connection.unwrap());
                // The other end may go away at any time.
                thread::spawn(move || served.answer(connection));
            }
        });
        bucket
    }

    /// The bucket as a log uses it.
    pub(crate) fn store(&self, patience: Duration) -> PartStore {
        let options = StoreOptions {
            url: "s3://logs/feed".to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            region: None,
            allow_http: true,
        };
        PartStore::open_for_test(&options, patience).unwrap()
    }

    pub(crate) fn answer_from_now_on(&self, answers: Answers) {
        self.state().answers = answers;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state().requests
    }

    /// The objects by name, without the folder that the log was given.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().objects.clone()
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.state().objects.insert(name.to_owned(), bytes.to_vec());
    }

    pub(crate) fn remove(&self, name: &str) {
        self.state().objects.remove(name).unwrap();
    }

    /// Whether no object was made twice.
    pub(crate) fn made_each_once(&self) -> bool {
        self.state().made.values().all(|&times| times == 1)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answer(&self, connection: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(connection.try_clone().ok()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_ascii_lowercase()),
            }
        }
        let field = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
        let length = field("content-length: ").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (method, rest) = head[0].split_once(' ')?;
        let name = rest.split(' ').next()?.strip_prefix("/logs/feed/")?;
        // No other part of the name has capitals or characters that are escaped.
        let name = name.replace("%3d", "=");
        self.state().requests += 1;
        let answers = self.state().answers;
        match answers {
            Answers::AsItShould | Answers::NotThoughItDid => {}
            Answers::With503 => return respond(connection, "503 Slow Down", b"busy"),
            Answers::Never => {
                while self.state().answers == Answers::Never {
                    thread::sleep(Duration::from_millis(5));
                }
                return None;
            }
        }
        let (status, content) = match method {
            "put" => {
                assert_eq!(field("if-none-match: "), Some("*"));
                (self.make(name, body), Vec::new())
            }
            "get" => match self.state().objects.get(&name) {
                Some(object) => ("200 OK", object.clone()),
                None => ("404 Not Found", Vec::new()),
            },
            method => panic!("{method} is not sent"),
        };
        match answers {
            Answers::NotThoughItDid => None,
            _ => respond(connection, status, &content),
        }
    }

    fn make(&self, name: String, body: Vec<u8>) -> &'static str {
        let mut state = self.state();
        if state.objects.contains_key(&name) {
            return "412 Precondition Failed";
        }
        *state.made.entry(name.clone()).or_default() += 1;
        state.objects.insert(name, body);
        "200 OK"
    }
}

fn respond(mut connection: TcpStream, status: &str, content: &[u8]) -> Option<()> {
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\netag: \"1\"\r\n\
         last-modified: Mon, 24 Nov 2025 16:00:00 GMT\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).ok()?;
    connection.write_all(content).ok()
}
