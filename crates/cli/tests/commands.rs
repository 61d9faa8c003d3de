//! The real program against a real network: one `cairn up` on any free port, and a person who takes part in it by commands alone.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use cairn_types::TimeMs;
use serde_json::Value;
use stand::turnstile::{Hold, Turnstile};
use stand::*;
use std::path::Path;
use std::process::Stdio;

/// Epochs in which a reading may fail to be paid, on a machine that is busy.
const ROUNDS_MAX: usize = 30;

#[test]
fn a_person_takes_part_from_the_first_key_to_the_books() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, "up --port 0 --epoch-seconds 2");
    network_is_there(home, &up);
    keys_and_account(home);
    payout(home);
    // It counts from the next epoch on; nothing of this one shall be paid.
    until_event(&up.url("node"), "epoch_closed");
    credits(home);
    networks(home);
    devices(home);
    proofs(home);
    let (agent, span) = earn(home, &up);
    metrics(&up);
    buy(home, &span);
    by_key(home, &up, &span);
    killed_while_buying(home, &up, &span);
    let paid = books(home, &up);
    agent.end();
    up.end();
    let again = Running::start(home, "up --port 0");
    assert_eq!(
        cairn(home, "account show").done()["number"],
        4,
        "what was there is there again"
    );
    assert_eq!(cairn(home, "up --port 0 --epoch-seconds 9").refused(2), "usage");
    moves(home, &again, &paid);
    again.end();
}

/// The chain goes to another validator: what was settled and sold before is recomputed and explained from the state that moved.
fn moves(home: &Path, up: &Running, paid: &str) {
    let file = |name: &str| home.join(name).display().to_string();
    let (era, keys, state) = (file("era.json"), file("second.keys"), file("ledger.state"));
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for line in [
        format!("genesis era --validators 1 --file {era}"),
        format!("genesis join --file {era} --address {address} --key {keys}"),
        format!("genesis sign --file {era} --key {keys}"),
        format!(
            "genesis approve --file {era} --key {}",
            file("node/chain/validator.keys")
        ),
        format!("genesis hand-over --file {era}"),
        format!("state export --node {} --out {state}", up.url("node")),
        format!("state import --genesis {era} --state {state} --data {}", file("moved")),
    ] {
        cairn(home, &line).done();
    }
    let line = format!(
        "node run --listen 127.0.0.1:0 --genesis {era} --key {keys} --data {}",
        file("moved")
    );
    let moved = Running::start(home, &line);
    cairn(home, &format!("config set --node {}", moved.url("node"))).done();
    // The era's first blocks only take the records over.
    until_event(&moved.url("node"), "epoch_closed");
    // Whose blocks are in the old folder only.
    let sensors = cairn(home, "network show sensors").done()["network"]
        .as_str()
        .unwrap()
        .to_owned();
    let archive = home.join("archive");
    let archived = std::fs::read_dir(archive.join(&sensors)).unwrap();
    let sold = archived
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u64>().ok())
        .find(|epoch| {
            let path = format!("/v1/networks/{sensors}/epochs/{epoch}");
            let told = get(&moved.url("node"), &path);
            told["pool"]["settled"].as_u64() > Some(0) && told["settlement"].is_object()
        })
        .expect("data was sold in an epoch that was settled");
    let audit = format!("audit --network {sensors} --epoch {sold} --archive");
    let audited = cairn_with(home, &audit, &[&archive]).done();
    assert_eq!(
        (&audited["matching"], &audited["first_difference"]),
        (&Value::from(1), &Value::Null)
    );
    let explain = format!("explain gauge --network {sensors} --epoch {paid}");
    assert_eq!(cairn(home, &explain).done()["reports"][0]["verdict"], "accepted");
    moved.end();
}

fn network_is_there(home: &Path, up: &Running) {
    assert_eq!(up.ready["networks"].as_array().unwrap().len(), 1);
    let shown = cairn(home, "config show").done();
    assert_eq!(shown["node"], up.ready["node"]);
    assert_eq!(shown["anchor"]["chain"], "cairn-local");
    let secrets = std::fs::read_to_string(home.join("account.keys")).unwrap();
    let secret = secrets.split(':').nth(1).unwrap().split_whitespace().next().unwrap();
    for line in ["config show", "key list", "key show founder"] {
        assert!(!cairn(home, line).text.contains(secret), "{line} shows a secret");
    }
    assert_eq!(cairn(home, "network show").done()["name"], "sensors");
}

/// Every metric of the dashboard and the alerts is one that a service tells, once an epoch was paid.
fn metrics(up: &Running) {
    let told: String = ["node", "verifier", "gateway"]
        .map(|name| page(&up.url(name), "/metrics"))
        .concat();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate");
    let mut named = 0;
    for file in ["grafana.json", "alerts.yml"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        for metric in words.filter(|word| word.starts_with("cairn_")) {
            let family = metric.trim_end_matches("_total").trim_end_matches("_bucket");
            assert!(
                told.contains(&format!("# TYPE {family} ")),
                "{file}: nobody tells {metric}"
            );
            named += 1;
        }
    }
    assert!(named > 20);
    for name in ["node", "verifier", "gateway"] {
        assert!(page(&up.url(name), "/v1/health").starts_with("HTTP/1.1 200"), "{name}");
    }
}

fn keys_and_account(home: &Path) {
    assert_eq!(cairn(home, "key show").refused(3), "not_found");
    let made = cairn(home, "key new").done();
    assert_eq!(made["id"], cairn(home, "key new").done()["id"], "a name keeps its key");
    assert_eq!(cairn(home, "account show").refused(3), "not_found");
    let planned = cairn(home, "account open --dry-run").done();
    assert!(number(&planned["fee_token"]) > 0);
    assert_eq!(planned["transaction"], Value::Null);
    assert_eq!(cairn(home, "account show").code, 3, "a dry run opens nothing");
    assert_eq!(cairn(home, "account open").done()["proven"], true);
    assert_eq!(cairn(home, "account open").refused(4), "refused");
    assert_eq!(cairn(home, "account open --sponsor none").refused(2), "usage");

    let before = cairn(home, "account show founder").done();
    let planned = cairn(home, "account transfer me --token 12.5 --key founder --dry-run").done();
    assert_eq!(number(&planned["amount_token"]), 12_500_000);
    assert_eq!(
        cairn(home, "account show founder").done(),
        before,
        "a dry run changes nothing"
    );
    cairn(home, "account transfer me --token 12.5 --key founder").done();
    cairn(home, "account transfer me --stable 3 --key founder").done();
    assert_eq!(
        cairn(home, "account transfer founder --token 13").refused(5),
        "insufficient"
    );
    assert_eq!(
        cairn(home, "account transfer founder --token 0.0000001").refused(2),
        "usage"
    );
    assert_eq!(cairn(home, "account transfer founder").code, 2, "an amount is needed");
}

/// From here on the person wants dollars: every epoch that pays it is settled with an exchange, in which nobody takes the other side.
fn payout(home: &Path) {
    assert_eq!(cairn(home, "account show").done()["wants_stable_bps"], Value::Null);
    let planned = cairn(home, "account payout --dollars 12.5 --dry-run").done();
    assert_eq!(number(&planned["wants_stable_bps"]), 1_250);
    assert_eq!(
        cairn(home, "account show").done()["wants_stable_bps"],
        Value::Null,
        "a dry run chooses nothing"
    );
    let chosen = cairn(home, "account payout --dollars 100").done();
    let shown = cairn(home, "account show").done();
    assert_eq!(number(&shown["wants_stable_bps"]), 10_000);
    assert_eq!(shown["wants_stable_from_epoch"], chosen["from_epoch"]);
    assert_eq!(cairn(home, "account payout --dollars 101").code, 2);
    assert_eq!(cairn(home, "account payout").code, 2, "a choice is needed");
}

fn credits(home: &Path) {
    let planned = cairn(home, "credits buy --stable 2 --dry-run").done();
    assert_eq!(
        (number(&planned["paid_micro_usd"]), &planned["dry_run"]),
        (2_000_000, &Value::Bool(true))
    );
    assert_eq!(number(&cairn(home, "account show").done()["credits"]["total"]), 0);
    assert_eq!(
        number(&cairn(home, "credits buy --stable 2").done()["credits_bought"]),
        2_000_000
    );
    assert_eq!(cairn(home, "credits buy --stable 2").refused(5), "insufficient");
    let back = cairn(home, "credits refund 2").done();
    assert!(number(&back["paid_micro_usd"]) > 0);
    assert_eq!(cairn(home, "credits refund 1").refused(5), "insufficient");
    assert_eq!(number(&cairn(home, "account show").done()["credits"]["total"]), 0);
}

fn networks(home: &Path) {
    let create = "network create --name garden --resolution 7";
    assert_eq!(
        cairn(home, create).refused(5),
        "insufficient",
        "a bond of tokens is needed"
    );
    let by_founder = format!("{create} --key founder");
    let planned = cairn(home, &format!("{by_founder} --dry-run")).done();
    let made = cairn(home, &by_founder).done();
    assert_eq!(made["network"], planned["network"]);
    assert_eq!(cairn(home, &by_founder).refused(4), "refused");
    assert_eq!(
        cairn(home, "network create --name x --vertical unknown --key founder").refused(3),
        "not_found"
    );
    let listed = cairn(home, "network list").done();
    assert_eq!(listed["networks"].as_array().unwrap().len(), 2);
    assert_eq!(cairn(home, "network show").refused(2), "usage", "there are two now");

    // Parameters as shown are parameters to begin with.
    let shown = cairn(home, "network show garden").done();
    let file = home.join("params.json");
    std::fs::write(&file, shown["parameters"].to_string()).unwrap();
    let line = "network create --key founder --dry-run --name other --params";
    cairn_with(home, line, &[&file]).done();
    std::fs::write(&file, "[1]").unwrap();
    assert_eq!(cairn_with(home, line, &[&file]).code, 2);
}

fn devices(home: &Path) {
    let line = "device register gauge --network sensors --lat 52.37 --lng 4.9";
    let planned = cairn(home, &format!("{line} --dry-run")).done();
    assert_eq!(
        (planned["steps"].as_array().unwrap().len(), &planned["device"]),
        (2, &Value::Null)
    );
    assert_eq!(cairn(home, "key show gauge --device").code, 3, "a dry run makes no key");
    assert_eq!(cairn(home, "device show gauge").refused(3), "not_found");
    let tokens = cairn(home, "account show").done()["token"].clone();
    let made = cairn(home, line).done();
    assert_eq!(
        cairn(home, "account show").done()["token"],
        tokens,
        "the network paid the fees"
    );
    assert_eq!(cairn(home, line).refused(4), "refused");

    let shown = cairn(home, "device show gauge").done();
    assert_eq!(
        (&shown["device"], &shown["networks"][0]["cell"]),
        (&made["device"], &made["cell"])
    );
    // The same device in a second network of larger cells: a finer cell is made coarser before it is sent.
    let cell = made["cell"].as_str().unwrap();
    let joined = cairn(home, &format!("device register gauge --network garden --cell {cell}")).done();
    assert_eq!(joined["steps"].as_array().unwrap().len(), 1);
    assert_ne!(joined["cell"], made["cell"]);
    let coarse = joined["cell"].as_str().unwrap();
    let too_coarse = format!("device register other --network sensors --cell {coarse}");
    assert_eq!(cairn(home, &too_coarse).refused(2), "usage");
    let listed = cairn(home, "device list --network sensors").done();
    assert_eq!(listed["devices"][0]["device"], made["device"]);
    assert_eq!(cairn(home, "device list --network nowhere").refused(3), "not_found");
}

/// A light client's answers, kept in a file and checked again without a network; what does not hold is named.
fn proofs(home: &Path) {
    let shown = cairn(home, "account show").done();
    let account = cairn(home, "verify account me").done();
    let record = &account["records"][0];
    assert_eq!(
        (&record["present"], &record["value"]["nonce"]),
        (&Value::Bool(true), &shown["nonce"])
    );
    assert!(number(&record["certificate_bytes"]) > 96 && number(&record["record_proof_bytes"]) > 32);
    assert!(number(&record["headers"]) >= 1 && number(&account["proof_bytes"]) == number(&record["proof_bytes"]));
    let nobody = cairn(home, &format!("verify account {}", "ab".repeat(32))).done();
    assert_eq!(
        (&nobody["records"][0]["present"], &nobody["records"][0]["value"]),
        (&Value::Bool(false), &Value::Null)
    );
    let parameters = cairn(home, "verify parameters sensors").done();
    let network = cairn(home, "network show sensors").done();
    assert_eq!(parameters["parameters"], network["parameters"]);
    cairn(home, "verify device gauge").done();
    let file = home.join("proofs.json");
    let kept = cairn_with(home, "verify epoch 0 --network sensors --save", &[&file]).done();
    assert_eq!(kept["records"].as_array().unwrap().len(), 4);

    let again = cairn_with(home, "verify file", &[&file]).done();
    assert_eq!(again["records"][0]["value"], kept["records"][0]["value"]);
    let whole = std::fs::read_to_string(&file).unwrap();
    let digit = whole.rfind(|letter: char| letter.is_ascii_digit()).unwrap();
    let other = if whole.as_bytes()[digit] == b'0' { "1" } else { "0" };
    for (wrong, code) in [
        (whole.replacen("epoch/0", "epoch/1", 1), 1),
        (format!("{}{other}{}", &whole[..digit], &whole[digit + 1..]), 1),
        (whole.replacen("epoch/0", "epochs/0", 1), 7),
        (whole[..whole.len() / 2].to_owned(), 7),
        ("{\"chain\": \"cairn-local\", \"proofs\": []}".to_owned(), 7),
    ] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(cairn_with(home, "verify file", &[&file]).code, code);
    }
}

/// What a query asks for: from the first reading to the end of the last epoch that was paid. Readings of later epochs may be judged
/// between two questions, and cost more.
fn asked(home: &Path, up: &Running, first: TimeMs) -> String {
    let file = home.join("paid.csv");
    cairn_with(home, "export income --account me --out", &[&file]).done();
    let text = std::fs::read_to_string(&file).unwrap();
    let paid = text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap());
    let last: u64 = paid.map(|epoch| epoch.parse().unwrap()).max().unwrap();
    let epoch = get(&up.url("node"), &format!("/v1/epochs/{last}"));
    let end = epoch["end"].as_str().unwrap();
    format!("query --network sensors --from {first} --to {end}")
}

/// The agent takes a reading of every epoch until one of them is paid. Answers a query for those that are.
fn earn(home: &Path, up: &Running) -> (Running, String) {
    cairn(home, "agent init --network sensors --http 0 --mqtt 0").done();
    assert_eq!(cairn(home, "agent init --network sensors").refused(7), "files");
    let agent = Running::start(home, "agent run");
    let mut first = None;
    for _ in 0..ROUNDS_MAX {
        let sent = cairn(home, "account transfer me --stable 0.000001 --key founder").done();
        let time: TimeMs = sent["time"].as_str().unwrap().parse().unwrap();
        // Readings are of whole seconds.
        let first = *first.get_or_insert(TimeMs(time.0 - 1_000));
        // One that comes when its epoch is over is refused; the next round has another.
        tell(&agent.url("http"), "gauge", &format!("{time} rain=0.1"));
        until_event(&up.url("node"), "epoch_settled");
        if number(&cairn(home, "account show").done()["token"]) > 12_500_000 {
            let status = get(&agent.url("http"), "/v1/status");
            assert!(number(&status["ledger_heard_ms_ago"]) < 600_000, "{status}");
            assert_eq!(
                (number(&status["verifiers"]), number(&status["verifiers_skipped"])),
                (1, 0)
            );
            return (agent, asked(home, up, first));
        }
    }
    panic!("no reading was paid in {ROUNDS_MAX} epochs");
}

/// Credits first, data then: nothing is delivered unpaid.
fn buy(home: &Path, line: &str) {
    let file = home.join("rain.csv");
    let to_file = |more: &str| cairn_with(home, &format!("{line} {more} --out"), &[&file]);
    let poor = to_file("--yes");
    assert!(
        poor.json["error"]["hint"]
            .as_str()
            .unwrap()
            .starts_with("cairn credits buy"),
        "{}",
        poor.text
    );
    assert_eq!(poor.refused(5), "insufficient");
    cairn(home, "credits buy --stable 1").done();
    let before = cairn(home, "account show").done();
    let offered = cairn(home, &format!("{line} --dry-run")).done();
    let price = number(&offered["price_credits"]);
    assert_eq!(to_file("").refused(4), "refused", "nobody agreed to the price");
    assert_eq!(to_file(&format!("--max-price {}", price - 1)).refused(4), "refused");
    assert_eq!(cairn(home, "account show").done()["credits"], before["credits"]);
    assert!(!file.exists());

    let bought = to_file("--max-price 1000000").done();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count() as u64, 1 + number(&bought["rows"]));
    let after = cairn(home, "account show").done();
    let spent = number(&before["credits"]["total"]) - number(&after["credits"]["total"]);
    assert_eq!(spent, number(&bought["price_credits"]));
    let order = bought["order"].as_str().unwrap();
    assert_eq!(
        cairn(home, &format!("query --resume {order} --yes --out none")).refused(3),
        "not_found"
    );
    another_gateway(home, line, &text);
}

/// A gateway as a process of its own sells the same rows from the verifier's archive.
fn another_gateway(home: &Path, line: &str, rows: &str) {
    cairn(home, "key new shop").done();
    cairn(home, "account open --key shop --sponsor sensors").done();
    cairn(home, "account transfer shop --token 1 --key founder").done();
    let gateway = Running::start(home, "gateway run --key shop --listen 127.0.0.1:0");
    let file = home.join("again.csv");
    let line = format!("{line} --gateway {} --max-price 1000000 --out", gateway.url("gateway"));
    cairn_with(home, &line, &[&file]).done();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), rows);
    gateway.end();
}

/// A program buys by a header, from the gateway or through the explorer, and pays once; what its key did not spend returns, and the epoch in
/// which it was settled is what its archive comes to.
fn by_key(home: &Path, up: &Running, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let sensors = cairn(home, "network show sensors").done()["network"]
        .as_str()
        .unwrap()
        .to_owned();
    let asked = format!("network={sensors}&quantity=rain&from={}&to={}", words[4], words[6]);
    let credits = || number(&cairn(home, "account show").done()["credits"]["total"]);
    let before = credits();
    assert_eq!(cairn(home, "api-key show").refused(3), "not_found");
    let open = "api-key open --network sensors --credits $0.1 --days 1";
    let planned = cairn(home, &format!("{open} --dry-run")).done();
    assert_eq!(
        (number(&planned["hold_credits"]), &planned["api_key"]),
        (100_000, &Value::Null)
    );
    assert_eq!(credits(), before, "a dry run opens nothing");
    let opened = cairn(home, open).done();
    let key = opened["api_key"].as_str().unwrap();
    assert_eq!(credits(), before - 100_000);

    let price = get(&up.url("gateway"), &format!("/v1/price?{asked}"));
    let price: u64 = price["price_credits"].as_str().unwrap().parse().unwrap();
    let rows = std::fs::read_to_string(home.join("rain.csv")).unwrap();
    let path = format!("/v1/data?{asked}&credits_max={price}");
    for (service, paid) in [("gateway", "now"), ("explorer", "before"), ("gateway", "before")] {
        let answer = page_for(&up.url(service), &path, key);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.contains(&format!("x-cairn-paid: {paid}\r\n")),
            "{service}: {answer}"
        );
        // Both come in pieces.
        assert!(rows.lines().all(|line| answer.contains(line)), "{answer}");
    }
    let shown = cairn(home, "api-key show").done();
    assert_eq!(
        (number(&shown["spent_credits"]), number(&shown["queries_paid"])),
        (price, 1)
    );
    let mut by_variable = program(home);
    let told = by_variable
        .args(["--json", "api-key", "show"])
        .env("CAIRN_API_KEY", key)
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&told.stdout).unwrap(), shown);
    let bad = program(home)
        .args(["api-key", "show"])
        .env("CAIRN_API_KEY", &key[..80])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(bad.status.code() == Some(2) && !said.contains(&key[20..40]), "{said}");

    assert_eq!(cairn(home, "api-key close").done()["state"], "closed");
    assert_eq!(credits(), before - price, "the rest is back");
    assert_eq!(cairn(home, "api-key show").refused(3), "not_found");
    let told = |epoch: u64| get(&up.url("node"), &format!("/v1/networks/{sensors}/epochs/{epoch}"));
    let customer = cairn(home, "key show").done()["id"].as_str().unwrap().to_owned();
    let bills = || {
        let face = get(&up.url("explorer"), &format!("/v1/customers/{customer}/bills"));
        let all = face["items"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|bill| bill["order"] == opened["order"])
    };
    let mut seen = Value::Null;
    let sold = (0..ROUNDS_MAX).find_map(|_| {
        until_event(&up.url("node"), "epoch_settled");
        let epoch = number(&bills()?["epoch"]);
        seen = told(epoch);
        seen["settlement"].is_object().then_some(epoch)
    });
    let sold = sold.unwrap_or_else(|| panic!("the epoch in which the key was closed is settled: {seen}"));
    let totals = told(sold)["settlement"]["totals"].clone();
    let paid: u64 = totals["customers_paid"].as_str().unwrap().parse().unwrap();
    assert!(paid >= price, "its operators have it: {totals}");
    let audit = format!("audit --network {sensors} --epoch {sold} --archive");
    let audited = cairn_with(home, &audit, &[&home.join("archive")]).done();
    assert_eq!(
        (&audited["matching"], &audited["first_difference"]),
        (&Value::from(1), &Value::Null)
    );
}

/// Killed between paying and receiving, whether the gateway has heard of it or not: the file comes later, and is paid once.
fn killed_while_buying(home: &Path, up: &Running, line: &str) {
    let credits = || number(&cairn(home, "account show").done()["credits"]["total"]);
    let buy = |turnstile: &Turnstile, gateway: &str| {
        let mut command = program(home);
        command.args(["--json"]).args(line.split_whitespace());
        command.args(["--max-price", "1000000", "--gateway", gateway, "--out"]);
        command.arg(home.join("lost.csv")).stdout(Stdio::null());
        turnstile.kill_at(&mut command);
        assert!(!home.join("lost.csv").exists());
    };
    let price = number(&cairn(home, &format!("{line} --dry-run")).done()["price_credits"]);
    let before = credits();
    for hold in [Hold::Before, Hold::After] {
        let turnstile = Turnstile::before(&up.url("gateway"), "POST /v1/queries", hold);
        buy(&turnstile, &turnstile.url);
    }
    assert_eq!(credits(), before - 2 * price, "both are held or paid");

    let which = cairn(home, "query --resume --out none");
    let hint = which.json["error"]["hint"].as_str().unwrap().to_owned();
    assert_eq!(which.refused(2), "usage", "two files have not arrived");
    let orders: Vec<&str> = hint.split_whitespace().filter(|word| word.len() == 64).collect();
    assert_eq!(orders.len(), 2);
    let file = home.join("found.csv");
    for order in orders {
        let got = cairn_with(home, &format!("query --resume {order} --out"), &[&file]).done();
        assert_eq!(number(&got["bytes"]), std::fs::metadata(&file).unwrap().len());
        assert!(std::fs::read_to_string(&file).unwrap().lines().count() > 1);
        let record = get(&up.url("node"), &format!("/v1/orders/{order}"));
        assert_eq!(record["settled"], price.to_string(), "{record}");
        let again = format!("query --resume {order} --out none");
        assert_eq!(cairn(home, &again).refused(3), "not_found");
    }
    assert_eq!(credits(), before - 2 * price, "nothing is paid twice");

    // Killed before the ledger has heard of the order: nothing is paid, and there is nothing to fetch.
    let turnstile = Turnstile::before(&up.url("node"), "POST /v1/transactions", Hold::Before);
    cairn(home, &format!("config set --node {}", turnstile.url)).done();
    buy(&turnstile, &up.url("gateway"));
    cairn(home, &format!("config set --node {}", up.url("node"))).done();
    let nothing = home.join("nothing.csv");
    assert_eq!(
        cairn_with(home, "query --resume --out", &[&nothing]).refused(3),
        "not_found"
    );
    assert!(!nothing.exists() && !home.join("nothing.csv.part").exists());
    assert_eq!(credits(), before - 2 * price);
}

/// Answers an epoch in which the gauge was paid.
fn books(home: &Path, up: &Running) -> String {
    let file = home.join("income.csv");
    let told = cairn_with(home, "export income --account me --out", &[&file]).done();
    assert_eq!(told["proven"], true);
    let text = std::fs::read_to_string(&file).unwrap();
    // What was bought in between may be paid already, in either asset.
    let (mut tokens, mut dollars) = (0, 0);
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let amount: u64 = fields[4].parse().unwrap();
        match (fields.len(), fields[3], fields[6]) {
            (8, "availability" | "usage", "token") => tokens += amount,
            (8, "cash", "stablecoin_usd") => dollars += amount,
            _ => panic!("{line}"),
        }
    }
    assert_eq!(tokens, number(&told["token"]));
    assert_eq!(dollars, number(&told["stable_micro_usd"]));
    assert!(text.contains(",availability,") && tokens > 0);
    let nobody = cairn_with(home, "export income --account nobody --out", &[&file]);
    assert_eq!(nobody.refused(3), "not_found");

    let device = cairn(home, "device show gauge").done()["device"]
        .as_str()
        .unwrap()
        .to_owned();
    // Where the home's own network is, unless told otherwise; a device by its name here, or by its id.
    assert_eq!(cairn(home, "explain nothing --epoch 1").refused(3), "not_found");
    let explain = format!("explain {device} --from {}", up.url("node"));
    assert_eq!(
        cairn(home, &format!("{explain} --epoch 1")).code,
        3,
        "two networks: which one?"
    );
    let sensors = cairn(home, "network show sensors").done()["network"]
        .as_str()
        .unwrap()
        .to_owned();
    let explain = format!("{explain} --network {sensors} --epoch");
    assert_eq!(cairn(home, &format!("{explain} 99999999")).refused(3), "not_found");
    // The last one: in the first the choice of dollars may not have counted yet.
    let last = text.lines().rfind(|line| line.contains(",availability,")).unwrap();
    let epoch = last.split(',').nth(1).unwrap().to_owned();
    let explained = cairn(home, &format!("{explain} {epoch}")).done();
    assert_eq!(explained["reports"][0]["verdict"], "accepted");
    let reputation = &explained["reputation"];
    assert_eq!(
        (&reputation["paid"], &reputation["excluded"]),
        (&reputation["of"], &Value::Null)
    );
    let exchange = &explained["operator"]["exchange"];
    assert_eq!(
        (&exchange["wants_stable_bps"], &exchange["token_given"]),
        (&Value::from(10_000), &Value::from(0)),
        "nobody took the other side"
    );
    let by_name = cairn(home, &format!("explain gauge --network {sensors} --epoch {epoch}")).done();
    assert_eq!(by_name, explained);
    let archive = home.join("archive");
    let audited = cairn_with(
        home,
        &format!("audit --network {sensors} --epoch {epoch} --archive"),
        &[&archive],
    )
    .done();
    assert_eq!(
        (&audited["matching"], &audited["first_difference"]),
        (&Value::from(1), &Value::Null)
    );
    judge(home, &archive, &epoch);
    epoch
}

/// What was settled is what its archive comes to; nothing can be disputed where one operator decides, and no receipt was broken.
fn judge(home: &Path, archive: &Path, epoch: &str) {
    assert_eq!(cairn(home, "dispute list").done()["disputes"], Value::Array(vec![]));
    let shown = cairn(home, &format!("dispute show {epoch} --network sensors")).done();
    assert_eq!(
        (&shown["dispute"], shown["signers"].as_array().unwrap().len()),
        (&Value::Null, 1)
    );
    assert_eq!(
        cairn(home, "dispute show 99999999 --network sensors").refused(3),
        "not_found"
    );
    let file = home.join("mine.result");
    let line = format!(
        "dispute judge {epoch} --network sensors --archive {}",
        archive.display()
    );
    let judged = cairn_with(home, &format!("{line} --save"), &[&file]).done();
    assert_eq!(judged["result"], shown["result"]);
    assert_eq!(
        (
            &judged["settled_is_right"],
            &judged["disputer_is_right"],
            &judged["first_difference"]
        ),
        (&Value::Bool(true), &Value::Null, &Value::Null)
    );
    assert_eq!(
        cairn_with(home, "dispute open", &[&file]).refused(5),
        "insufficient",
        "a bond is needed"
    );
    let open = "dispute open --key founder";
    assert_eq!(
        cairn_with(home, open, &[&file]).refused(4),
        "refused",
        "nobody would decide"
    );
    assert_eq!(cairn_with(home, "dispute vote", &[&file]).refused(4), "refused");
    assert_eq!(cairn(home, &format!("{line} --vote --key me")).refused(4), "refused");
    assert_eq!(
        cairn_with(home, "dispute vote", &[&home.join("settings.json")]).refused(7),
        "files"
    );

    let journal = home.join("agent").join("journal");
    let receipts = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let receipts: Vec<_> = receipts
        .filter(|path| path.display().to_string().contains("receipts-"))
        .collect();
    let slash = format!("verifier slash receipts --archive {}", archive.display());
    let found = cairn_with(home, &slash, &[&receipts[0]]).done();
    assert!(number(&found["promises"]) > 0);
    assert_eq!(found["broken"], Value::Array(vec![]));
    assert_eq!(cairn_with(home, &slash, &[&file]).refused(7), "files");
    let folder = number_folder(archive, &shown["network"], epoch);
    let manifest = folder.join("manifest.cbor");
    assert_eq!(
        cairn_with(home, "verifier slash results", &[&manifest, &manifest]).refused(4),
        "refused",
        "one result is no contradiction"
    );
}

/// Where an archive has an epoch.
fn number_folder(archive: &Path, network: &Value, epoch: &str) -> std::path::PathBuf {
    archive.join(network.as_str().unwrap()).join(format!("{epoch:0>10}"))
}

#[test]
fn what_cannot_be_done_has_its_exit_code() {
    let place = Place::new();
    let home = place.home.as_path();
    assert_eq!(cairn(home, "nonsense").code, 2);
    assert_eq!(cairn(home, "config set --node ftp://x").refused(2), "usage");
    // A port that was free a moment ago: nobody answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let set = format!("config set --node http://127.0.0.1:{port}");
    assert_eq!(cairn(home, &set).done()["anchor"], Value::Null);
    assert_eq!(cairn(home, "account show").refused(6), "unreachable");
    assert_eq!(cairn(home, "agent run").refused(7), "files");
    assert_eq!(
        cairn(home, "query --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z").refused(2),
        "usage"
    );
}
