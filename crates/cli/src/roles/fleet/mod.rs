//! Several validators and verifiers on one machine, each a process of its own with its own folder: founded, started, watched, started
//! again, and ended in order. Holds no key but those of the people who begin the chain; decides nothing.
//!
//! ```text
//! first run   plan (ports) ─▶ keys ─▶ draft ─▶ ceremony among the validators' own processes
//! each run    validators ─▶ first network, addresses ─▶ verifiers ─▶ gateway, explorer, watchers of disputes      ended the other way round
//!
//! account.keys   founder, issuer, gateway     validator-1/ …  keys, genesis.json, chain     up.json   which processes run
//! settings.json  where they listen            verifier-1/ …   keys, settings, log, archive  gateway/  journal
//! ```

mod board;
mod found;
mod plan;
mod process;

use super::until_stopped;
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{AnchorText, Home, Settings};
use crate::output::Output;
use board::Board;
use cairn_client::NodeClient;
use cairn_node::founding::Founding;
pub use plan::Plan;
use process::{Keeper, Spec};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the health of all.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A process that says so often in a row that it is not well is started again.
const UNWELL_MAX: u32 = 3;

/// What a person may choose.
pub struct Options {
    pub chain: String,
    /// For a new chain; one that is there keeps its own.
    pub epoch_ms: Option<u64>,
    /// Of the first node; 0: any.
    pub port: u16,
    pub validators: u16,
    pub verifiers: u16,
    /// What the verifiers say a token is worth, as it was written.
    pub token_price: String,
    /// How long results may be disputed, on a new chain.
    pub dispute_ms: Option<u64>,
    /// Blocks between two renewals of the validators' shares, on a new chain.
    pub committee_blocks: Option<u64>,
    /// How all of them write their logs.
    pub log_format: &'static str,
}

/// A fleet that runs.
struct Fleet {
    board: Arc<Board>,
    /// In the order in which they were started.
    groups: Vec<Vec<Keeper>>,
}

/// Runs all of it until it is asked to end.
pub async fn run(home: &Home, options: &Options, out: Output) -> Done {
    let folder = home.absolute()?;
    if folder.join("node").exists() {
        let fact = format!("{} holds a chain of one validator", folder.display());
        return Err(Failure::new(Kind::Usage, fact).hint("name another folder with --home"));
    }
    let stopped = until_stopped();
    tokio::pin!(stopped);
    let plan = Plan::of(home, options)?;
    let founding = tokio::select! {
        founding = found::found(home, &folder, &plan, options, out) => founding?,
        () = &mut stopped => return Ok(()),
    };
    let mut fleet = Fleet {
        board: Board::new(folder.join("up.json")),
        groups: Vec::new(),
    };
    let done = tokio::select! {
        done = fleet.live(home, &folder, &plan, &founding, options, out) => done,
        () = &mut stopped => Ok(()),
    };
    out.say("ending …");
    fleet.end().await;
    done
}

impl Fleet {
    async fn live(
        &mut self,
        home: &Home,
        folder: &Path,
        plan: &Plan,
        founding: &Founding,
        options: &Options,
        out: Output,
    ) -> Done {
        out.say("starting the validators …");
        let nodes = (0..plan.validators.len()).map(|at| plan.validator(folder, at, options));
        self.start(nodes.collect());
        // One that cannot start must not keep the others from working.
        let nodes: Vec<String> = (0..plan.validators.len()).map(Plan::validator_name).collect();
        let answers = self.board.any_ready(&nodes).await;
        let near = settings(plan, founding, answers)?;
        found::network(home, founding, &near).await?;
        found::addresses(folder, founding, plan, &near).await?;

        for at in 0..plan.verifiers.len() {
            let own = Home::at(&folder.join(Plan::verifier_name(at)));
            own.save(&settings(plan, founding, at)?)?;
        }
        out.say("starting the verifiers and the gateway …");
        self.start(
            (0..plan.verifiers.len())
                .map(|at| plan.verifier(folder, at, options))
                .collect(),
        );
        let verifiers: Vec<String> = (0..plan.verifiers.len()).map(Plan::verifier_name).collect();
        self.board.any_ready(&verifiers).await;
        home.save(&settings(plan, founding, 0)?)?;
        let mut last = vec![plan.gateway(folder, options)];
        last.extend(plan.explorer(folder, options));
        let ledger = founding.ledger().or_fail(Kind::Files, "the genesis file")?;
        if ledger.limits.dispute_window_ms > 0 {
            for at in 0..plan.validators.len() {
                let own = Home::at(&folder.join(Plan::validator_name(at)));
                own.save(&settings(plan, founding, at)?)?;
                last.push(plan.watch(folder, at, options));
            }
        }
        self.start(last);
        tokio::select! {
            () = self.board.all_ready() => {}
            broken = self.watch() => return broken,
        }
        let answer = answer(folder, plan, founding);
        out.answer(&answer, || lines(&answer));
        self.watch().await
    }

    fn start(&mut self, specs: Vec<Spec>) {
        let keepers = specs.into_iter().map(|spec| Keeper::start(spec, self.board.clone()));
        self.groups.push(keepers.collect());
    }

    /// Ends what says again and again that it is not well; its keeper starts it anew.
    async fn watch(&self) -> Done {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build();
        let client = client.or_fail(Kind::Internal, "an HTTP client")?;
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            for (name, url) in self.board.urls() {
                let answer = client.get(format!("{url}/v1/health")).send().await;
                // One that does not answer may be stopped or busy; it is not ours to say that it is broken.
                let unwell = answer.is_ok_and(|answer| answer.status().is_server_error());
                if self.board.unwell(&name, unwell) >= UNWELL_MAX {
                    self.board.terminate(&name);
                }
            }
        }
    }

    /// Ends those that ask before those that answer.
    async fn end(self) {
        for group in self.groups.into_iter().rev() {
            group.iter().for_each(Keeper::ask_to_end);
            for keeper in group {
                keeper.ended().await;
            }
        }
        self.board.forget();
    }
}

/// Where a person, a gateway or a verifier of this place finds the others.
fn settings(plan: &Plan, founding: &Founding, at: usize) -> Result<Settings, Failure> {
    let anchor = founding.anchor().or_fail(Kind::Files, "the genesis file")?;
    Ok(Settings {
        node: Some(plan.node_url(at)),
        verifier: Some(plan.verifier_url(at)),
        gateway: Some(plan.gateway_url()),
        anchor: Some(AnchorText::from(&anchor)),
        decimals: Some(founding.genesis.economics.decimals),
    })
}

/// A client that believes what is proven to the founders' key.
fn client(settings: &Settings) -> Result<NodeClient, Failure> {
    let anchor = settings.anchor.as_ref().expect("written above").anchor()?;
    NodeClient::trusting(settings.node(), anchor).map_err(crate::session::failed)
}

fn answer(folder: &Path, plan: &Plan, founding: &Founding) -> Value {
    let urls = |count: usize, url: &dyn Fn(usize) -> String| (0..count).map(url).collect::<Vec<_>>();
    json!({
        "home": folder.display().to_string(),
        "chain": founding.genesis.chain.as_str(),
        "epoch_ms": founding.genesis.epoch_ms,
        "node": plan.node_url(0),
        "verifier": plan.verifier_url(0),
        "gateway": plan.gateway_url(),
        "explorer": plan.explorer_url(),
        "nodes": urls(plan.validators.len(), &|at| plan.node_url(at)),
        "verifiers": urls(plan.verifiers.len(), &|at| plan.verifier_url(at)),
    })
}

fn lines(answer: &Value) -> Vec<String> {
    let all = |field: &str| {
        let urls = answer[field].as_array().into_iter().flatten();
        urls.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    vec![
        format!(
            "chain      {}, epochs of {} s",
            answer["chain"].as_str().unwrap_or_default(),
            answer["epoch_ms"].as_u64().unwrap_or_default() / 1_000
        ),
        format!("nodes      {}", all("nodes")),
        format!("verifiers  {}", all("verifiers")),
        format!("gateway    {}", answer["gateway"].as_str().unwrap_or_default()),
        format!("explorer   {}", answer["explorer"].as_str().unwrap_or("none")),
        "Next: cairn key new · cairn account open · cairn device register NAME --lat DEGREES --lng DEGREES".to_owned(),
    ]
}

/// This program.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().or_fail(Kind::Internal, "this program's own file")
}
