//! The explorer beside a whole network: what it shows of a day of made weather is what the demo itself counted, every answer fits the
//! contract, and judging an epoch again in it finds the same.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[path = "../../explorer/tests/explorer/schema.rs"]
mod schema;

/// A demo that serves on; it does not outlive the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    /// Returns with the demo's own sum, once its data has ended.
    fn played() -> (Self, Value) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(["demo", "--days", "1", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let demo = Self(child);
        let mut told = lines
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let answer = told
            .find(|answer| answer["urls"].is_object())
            .expect("the demo ends its story");
        (demo, answer)
    }
}

async fn get(http: &reqwest::Client, url: &str) -> (u16, Value) {
    let answer = http.get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Asks again at each piece of news until something holds.
async fn until(http: &reqwest::Client, base: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut stream = http.get(format!("{base}/v1/live")).send().await.unwrap();
    let waited = async {
        loop {
            let (_, answer) = get(http, &format!("{base}{path}")).await;
            if holds(&answer) {
                return answer;
            }
            // Nothing new: what keeps the stream alive comes all the same.
            stream.chunk().await.unwrap();
        }
    };
    // Nothing waits for this to pass: it turns a hang into a failure.
    tokio::time::timeout(std::time::Duration::from_secs(300), waited)
        .await
        .expect("the explorer catches up")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_explorer_shows_of_a_demo_is_what_the_demo_counted() {
    let (_demo, told) = tokio::task::spawn_blocking(Demo::played).await.unwrap();
    let base = told["urls"]["explorer"].as_str().unwrap().to_owned();
    let http = reqwest::Client::new();
    let overview = until(&http, &base, "/v1/overview", |overview| {
        overview["awaited"] == 0 && overview["reports_accepted"] == told["reports"]["accepted"]
    })
    .await;
    // A report that was refused at the verifier's door is in no epoch.
    let sensors = cairn_verticals::by_name("sensors").unwrap();
    let judged = |name: &str| sensors.reasons().iter().any(|text| text.name == name);
    let refused = told["reports"]["refused_by_reason"].as_object().unwrap();
    let refused: BTreeMap<&str, u64> = refused
        .iter()
        .filter_map(|(name, count)| count.as_u64().map(|count| (name.as_str(), count)))
        .filter(|(name, _)| judged(name))
        .collect();
    let shown = overview["refused_by"].as_array().unwrap().iter();
    let shown: BTreeMap<&str, u64> = shown
        .filter_map(|of| of["name"].as_str().zip(of["count"].as_u64()))
        .collect();
    assert!(refused.len() > 3, "{told}");
    assert_eq!(shown, refused);
    let network = told["network"].as_str().unwrap().to_owned();
    let (_, devices) = get(&http, &format!("{base}/v1/networks/{network}/devices?limit=500")).await;
    let devices = devices["items"].as_array().unwrap().clone();
    let refused = devices
        .iter()
        .find(|device| device["refused"].as_u64() > Some(3))
        .expect("a cheat");
    let mut operator = devices[0]["owner"].as_str().unwrap();
    for owner in devices.iter().filter_map(|device| device["owner"].as_str()) {
        let (_, alerts) = get(&http, &format!("{base}/v1/operators/{owner}/alerts")).await;
        if alerts["items"].as_array().is_some_and(|items| !items.is_empty()) {
            operator = owner;
            break;
        }
    }
    let device = refused["id"].as_str().unwrap();
    let customer = get(&http, &format!("{base}/v1/customers")).await.1["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let order = get(&http, &format!("{base}/v1/orders")).await.1["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let transaction = get(&http, &format!("{base}/v1/transactions")).await.1["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    // Every answer fits, with something in each list.
    let document: Value = serde_json::from_str(include_str!("../../explorer/openapi.json")).unwrap();
    let mut empty = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(of) = methods.get("get") else { continue };
        let id = match path.split(['/', '.']).nth(2).unwrap_or_default() {
            "accounts" | "customers" => &customer,
            "operators" => operator,
            "networks" => &network,
            "devices" => device,
            "orders" => &order,
            _ => &transaction,
        };
        let key = "00".repeat(33);
        let mut asked = path
            .replace("{id}", id)
            .replace("{key}", &key)
            .replace("{height}", "3")
            .replace("{epoch}", "12")
            .replace("/series/{name}", "/series/units")
            .replace("{name}", "findings.cbor")
            .replace("{vertical}", "sensors");
        if path.contains("readings") {
            asked += "?field=rain";
        } else if path == "/v1/search" {
            asked += &format!("?q={}", &device[..10]);
        }
        if path == "/v1/price" {
            // What its gateway says, passed on.
            let (_, epoch) = get(&http, &format!("{base}/v1/epochs/12")).await;
            let (from, to) = (epoch["start"].as_str().unwrap(), epoch["end"].as_str().unwrap());
            asked += &format!("?network={network}&quantity=rain&from={from}&to={to}");
        }
        let with_key = ["/v1/data", "/v1/key"];
        if path == "/v1/live" || path.contains("/archive/") || with_key.contains(&path.as_str()) {
            continue;
        }
        let (status, answer) = get(&http, &format!("{base}{asked}")).await;
        assert_eq!(status, 200, "{asked}: {answer}");
        for form in ["application/json", "application/geo+json"] {
            let schema = &of["responses"]["200"]["content"][form]["schema"];
            if schema.is_object() {
                schema::check(&document, schema, &answer)
                    .unwrap_or_else(|error| panic!("{asked}: {error}\n{answer:#}"));
            }
        }
        if answer["items"].as_array().is_some_and(Vec::is_empty) {
            empty.insert(path.clone());
        }
    }
    let nothing = [
        "/v1/disputes",
        "/v1/slashes",
        // A demo has none on its ledger.
        "/v1/validators",
        "/v1/networks/{id}/epochs/{epoch}/differences",
    ];
    let nothing: BTreeSet<String> = nothing.map(str::to_owned).into_iter().collect();
    assert!(empty.is_subset(&nothing), "nothing in {empty:?}");
    let (_, readings) = get(&http, &format!("{base}/v1/devices/{device}/readings?field=rain")).await;
    assert!(
        readings["values"].as_array().is_some_and(|values| values.len() > 100),
        "{readings}"
    );
    assert!(
        readings["stretches"][0]["sentence"]
            .as_str()
            .is_some_and(|sentence| sentence.len() > 20)
    );
    // The files of an epoch are as long as is said, and have the hash that is said.
    let (_, epoch) = get(&http, &format!("{base}/v1/networks/{network}/epochs/12")).await;
    let files = epoch["archive"]["files"].as_array().unwrap();
    assert!(files.len() > 6, "{epoch:#}");
    for file in files.iter().filter(|file| file["name"] != "manifest.cbor") {
        let url = format!("{base}{}", file["url"].as_str().unwrap());
        let bytes = http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(file["bytes"].as_u64(), Some(bytes.len() as u64), "{file}");
        assert_eq!(file["sha256"], cairn_types::hash::sha256(&bytes).to_string(), "{file}");
    }
    // Judged again here, it is the same.
    let audit = format!("{base}/v1/networks/{network}/epochs/12/audit");
    let asked = http.post(&audit).send().await.unwrap();
    assert_eq!(asked.status().as_u16(), 202);
    let path = format!("/v1/networks/{network}/epochs/12/audit");
    let audit = until(&http, &base, &path, |audit| audit["ended"].is_string()).await;
    assert_eq!(audit["state"], "equal", "{audit:#}");
    assert!(
        audit["steps"]
            .as_array()
            .is_some_and(|steps| steps.iter().all(|step| step["equal"] == true))
    );
    let home = told["home"].as_str().unwrap().to_owned();
    tokio::task::spawn_blocking(move || a_newcomer_begins(home.as_ref()))
        .await
        .unwrap();
}

/// Who has nothing opens an account all the same, and is given the first token by somebody of the demo.
fn a_newcomer_begins(home: &Path) {
    let said = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
        command.env_remove("CAIRN_PASSPHRASE_FILE").env("CAIRN_HOME", home);
        command.arg("--json").args(line.split(' '));
        let said = command.output().unwrap();
        assert!(
            said.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        serde_json::from_slice::<Value>(&said.stdout).unwrap()
    };
    said("key new");
    assert_eq!(said("account open")["proven"], true);
    said("account transfer me --token 5 --key founder");
    said("account transfer customer --token 1");
    assert!(said("account show")["token"].to_string().contains("3999000"));
}
