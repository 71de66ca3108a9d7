//! docker-compose.yml says what README.md promises. No container engine is needed to see that.
#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn compose() -> Value {
    yaml(&read("docker-compose.yml"))
}

/// The text of an inline configuration file.
fn config(name: &str) -> String {
    compose()["configs"][name]["content"].as_str().unwrap().to_owned()
}

/// The server's configuration.
fn settings() -> toml::Table {
    config("convoke").parse().unwrap()
}

fn port(key: &str) -> u16 {
    settings()[key].as_str().unwrap().parse::<SocketAddr>().unwrap().port()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_server_and_prometheus_start_by_themselves_and_sipp_under_a_profile() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let names: BTreeSet<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["convoke", "prometheus", "sipp"]));
    for (name, service) in services {
        let profiles = service.get("profiles").map(strings).unwrap_or_default();
        let expected: &[&str] = if name == "sipp" { &["load"] } else { &[] };
        assert_eq!(profiles, expected, "{name}");
    }
}

#[test]
fn every_file_and_volume_that_a_service_names_is_there() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        for used in service.get("configs").and_then(Value::as_array).into_iter().flatten() {
            let source = used["source"].as_str().unwrap();
            assert!(compose["configs"].get(source).is_some(), "{name} has no {source}");
            let target = used["target"].as_str().unwrap();
            let command = strings(&service["command"]).join(" ");
            assert!(command.contains(target), "{name} is not told of {target}");
        }
        for volume in service.get("volumes").map(strings).unwrap_or_default() {
            let volume = volume.split(':').next().unwrap();
            assert!(compose["volumes"].get(volume).is_some(), "{name} has no {volume}");
        }
    }
}

#[test]
fn the_image_runs_what_it_builds_with_the_toolchain_of_the_manifest() {
    let compose = compose();
    let recipe = compose["services"]["convoke"]["build"]["dockerfile_inline"].as_str().unwrap();
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(recipe.contains(&format!("FROM rust:{version}-bookworm")), "{recipe}");
    assert!(recipe.contains("ENTRYPOINT [\"convoke\"]"), "{recipe}");
    assert!(recipe.contains("target/release/convoke /usr/local/bin/convoke"), "{recipe}");
    let data = settings()["data"].as_str().unwrap().to_owned();
    let volume = format!("recordings:{data}");
    assert_eq!(strings(&compose["services"]["convoke"]["volumes"]), [volume]);
    assert!(recipe.contains(&format!("chown convoke {data}")), "{recipe}");
}

#[test]
fn the_servers_configuration_is_in_order() {
    let name = format!("convoke-compose-{}.toml", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, config("convoke")).unwrap();
    let checked =
        Command::new(env!("CARGO_BIN_EXE_convoke")).arg("check").arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    let [said, error] = [checked.stdout, checked.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(checked.status.success() && said.contains("in order"), "{said}{error}");
}

#[test]
fn the_ports_that_are_published_are_those_that_the_server_listens_on() {
    let compose = compose();
    let (sip, http) = (port("sip"), port("http"));
    let published = |port: u16, kind: &str| format!("127.0.0.1:{port}:{port}/{kind}");
    assert_eq!(
        strings(&compose["services"]["convoke"]["ports"]),
        [published(sip, "udp"), published(sip, "tcp"), published(http, "tcp")]
    );
}

#[test]
fn prometheus_and_sipp_find_the_server_by_a_name_that_it_answers_to() {
    let compose = compose();
    let scraped = yaml(&config("prometheus"));
    let target = strings(&scraped["scrape_configs"][0]["static_configs"][0]["targets"])[0];
    let (name, port_scraped) = target.split_once(':').unwrap();
    assert!(compose["services"].get(name).is_some(), "{target}");
    assert_eq!(port_scraped.parse::<u16>().unwrap(), port("http"));
    // A request for a name that the server does not know as its own is refused.
    let names = settings()["http_names"].as_array().unwrap().clone();
    assert!(names.iter().any(|known| known.as_str() == Some(name)), "{names:?}");

    let sipp = strings(&compose["services"]["sipp"]["command"])[0];
    assert_eq!(sipp, format!("convoke:{}", port("sip")));
}
