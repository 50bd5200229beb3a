//! The servers as processes: where they listen, and which signals stop them.

use std::{fs, process::Command};

use crate::support::{Server, counterweight, json, models};

const COMBINER: &str = "[[objective]]\nname = \"engagement\"\ncolumn = { name = \"e\" }\n\
                        [profile.default]\nweights = { engagement = 1.0 }\n\
                        [store]\npath = \"weights.log\"\n";

fn send(signal: &str, server: &Server) {
    let sent = Command::new("kill")
        .args([signal, &server.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_host_name_serves_and_each_stop_signal_drains() {
    for signal in ["-HUP", "-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("combiner.toml");
        fs::write(&config, COMBINER).unwrap();
        let mut command = counterweight();
        command.args(["serve-combiner", "--listen", "localhost:0", "--config"]);
        let mut combiner = Server::start(command.arg(&config));
        let address = combiner.hello.trim().rsplit(' ').next().unwrap().to_owned();
        let weights = json(["weights", "get", "--address", &address]);
        assert!(weights.to_string().contains("engagement"), "{weights}");
        send(signal, &combiner);
        assert!(combiner.wait().success(), "{signal}");

        let mut command = counterweight();
        command.args(["serve-model", "--listen", "localhost:0", "--repository"]);
        let mut model = Server::start(command.arg(models()));
        send(signal, &model);
        assert!(model.wait().success(), "{signal}");
    }
}

#[test]
fn a_server_under_nohup_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("combiner.toml");
    fs::write(&config, COMBINER).unwrap();
    let program = counterweight();
    let mut command = Command::new("nohup");
    command.arg(program.get_program());
    command.args(["serve-combiner", "--listen", "127.0.0.1:0", "--config"]);
    let mut combiner = Server::start(command.arg(&config));
    let address = combiner.hello.trim().rsplit(' ').next().unwrap().to_owned();
    send("-HUP", &combiner);
    json(["weights", "get", "--address", &address]);
    send("-KILL", &combiner);
    assert!(!combiner.wait().success(), "the hang-up stopped it");
}
