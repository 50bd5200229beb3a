//! Connections that say nothing, too many connections, and a process without descriptors: open
//! connections are served on.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking
#![allow(clippy::print_stdout)] // a process tells its ports

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use counterweight_serving::Limits;
use counterweight_test_support::{eventually, http_get};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::body::Body;

use crate::support::{answers, call, connect, limits, metric, start};

const REFUSED: &str = "counterweight_refused_connections_total{listener=\"grpc\"}";
/// Only set for the process that runs out of descriptors.
const CHILD: &str = "COUNTERWEIGHT_TEST_DESCRIPTORS";
const WINDOW: u32 = 1 << 20;

/// Reads until the server closes.
async fn closed(mut connection: TcpStream) {
    let mut rest = Vec::new();
    // A reset is a close, too.
    let _ = connection.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_connection_that_does_not_greet_is_closed_and_one_that_does_stays() {
    let server = start(limits()).await;
    let idle = connect(&server.address, WINDOW).await;
    let mute = TcpStream::connect(&server.address).await.unwrap();
    let mut slow = TcpStream::connect(&server.address).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    tokio::join!(closed(mute), closed(slow));
    assert!(answers(&idle, "still here").await);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_at_once() {
    let server = start(Limits {
        max_connections: 3,
        read_timeout: std::time::Duration::from_secs(600),
        ..limits()
    })
    .await;
    let open = connect(&server.address, WINDOW).await;
    let mute = [
        TcpStream::connect(&server.address).await.unwrap(),
        TcpStream::connect(&server.address).await.unwrap(),
    ];
    closed(TcpStream::connect(&server.address).await.unwrap()).await;
    assert!(answers(&open, "open").await);
    assert_eq!(metric(&server, REFUSED).await, 1.0);
    drop(mute);
    eventually("a place for a connection", || async {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address));
        let channel = channel.unwrap().connect_lazy();
        call(&channel, &[], Body::empty()).await.is_ok()
    })
    .await;
}

/// Not a test of its own: the server that runs out of descriptors. It ends with its standard input.
#[tokio::test]
async fn the_process_without_descriptors() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let server = start(Limits {
        read_timeout: std::time::Duration::from_secs(600),
        ..limits()
    })
    .await;
    // It knows its limits by now, and sets none by the one below.
    server.http("/healthz").await;
    println!("ADDRESSES {} {}", server.address, server.metrics);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let limit = Rlimit {
        current: Some(u64::try_from(open).unwrap() + 20),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    println!("LIMITED");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_process_without_descriptors_serves_its_connections_and_closes_new_ones() {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "connections::the_process_without_descriptors",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| !line.contains("LIMITED"))
        .collect();
    let addresses = lines.iter().find_map(|line| line.split_once("ADDRESSES "));
    let (grpc, http) = addresses.unwrap().1.split_once(' ').unwrap();

    let open = connect(grpc, WINDOW).await;
    assert!(answers(&open, "before").await);
    let mut flood = Vec::new();
    for _ in 0..60 {
        flood.push(TcpStream::connect(grpc).await.unwrap());
    }
    // About twenty fit. The others are closed, although there is no descriptor for them.
    let mut surplus = 0;
    let mut kept = Vec::new();
    for mut connection in flood.drain(..).rev() {
        if surplus < 36 {
            let _ = connection.read_to_end(&mut Vec::new()).await;
            surplus += 1;
        } else {
            kept.push(connection);
        }
    }
    assert!(answers(&open, "meanwhile").await);
    drop(kept);
    eventually("health is answered again", || async {
        let mut stream = TcpStream::connect(http).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";
        let mut answer = String::new();
        let _ = stream.write_all(request).await;
        let _ = stream.read_to_string(&mut answer).await;
        answer.starts_with("HTTP/1.1 200")
    })
    .await;
    let metrics = http_get(http, "/metrics").await;
    let refused = metrics.lines().find_map(|line| line.strip_prefix(REFUSED));
    assert!(
        refused.unwrap().trim().parse::<f64>().unwrap() >= 36.0,
        "{refused:?}"
    );
    eventually("new connections are served again", || async {
        let again = connect(grpc, WINDOW).await;
        call(&again, &[], Body::empty()).await.is_ok()
    })
    .await;
    drop(child.stdin.take());
    child.wait().unwrap();
}
