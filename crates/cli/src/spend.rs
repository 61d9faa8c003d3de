//! What commands that send transactions share: who signs, who pays the fee, and that `--dry-run` sends nothing.

use crate::error::{Failure, Kind};
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use cairn_client::{Confirmed, Wallet};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Body;
use cairn_types::{AccountId, NetworkId, SecretKey};
use serde_json::{Value, json};

/// Who acts, and whether it is meant.
#[derive(Clone, clap::Args)]
pub struct Spending {
    /// Name of the key of the account that acts and pays.
    #[arg(long, value_name = "NAME", default_value = "me")]
    pub key: String,
    /// Say what would be sent and what it costs, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// A signer at work.
pub struct Spender<'a> {
    pub session: &'a Session,
    pub key: SecretKey,
    sponsor: Option<NetworkId>,
    dry_run: bool,
}

/// What was sent, or would be.
pub struct Sent {
    pub answer: Value,
    /// None when it was a dry run.
    pub confirmed: Option<Confirmed>,
}

impl<'a> Spender<'a> {
    pub fn new(session: &'a Session, spending: &Spending) -> Result<Self, Failure> {
        Ok(Self {
            session,
            key: session.home.account_key(&spending.key)?,
            sponsor: None,
            dry_run: spending.dry_run,
        })
    }

    /// Fees come from the network's allowance.
    pub fn sponsored_by(mut self, sponsor: Option<NetworkId>) -> Self {
        self.sponsor = sponsor;
        self
    }

    pub fn account(&self) -> AccountId {
        Rule::single(self.key.public()).account_id()
    }

    pub fn wallet(&self) -> Wallet {
        let wallet = Wallet::single(&self.session.genesis, self.key.clone());
        match self.sponsor {
            Some(network) => wallet.sponsored_by(network),
            None => wallet,
        }
    }

    /// Sends a transaction and waits until it is proven final; only says so in a dry run. `facts` are what it is about.
    pub async fn send(&self, action: &str, facts: Value, body: Body) -> Result<Sent, Failure> {
        let mut wallet = self.wallet();
        let mut answer = json!({
            "action": action,
            "account": self.account().to_string(),
            "fee_token": wallet.fee(&body).0,
            "fee_paid_by": self.sponsor.map_or("account".to_owned(), |network| network.to_string()),
            "dry_run": self.dry_run,
        });
        merge(&mut answer, facts);
        if self.dry_run {
            return Ok(Sent {
                answer,
                confirmed: None,
            });
        }
        let confirmed = self.session.client.send(&mut wallet, body).await.map_err(failed)?;
        let place = json!({
            "transaction": confirmed.id.to_string(),
            "height": confirmed.height,
            "time": confirmed.time.to_string(),
            "proven": confirmed.proven,
        });
        merge(&mut answer, place);
        Ok(Sent {
            answer,
            confirmed: Some(confirmed),
        })
    }

    /// The line that says what a transaction costs and where it stands.
    fn cost(&self, answer: &Value) -> String {
        let fee = decimal(
            answer["fee_token"].as_u64().unwrap_or_default(),
            self.session.decimals(),
        );
        let payer = match self.sponsor {
            Some(_) => "the sponsoring network",
            None => "the account",
        };
        if self.dry_run {
            format!("  nothing was sent; the fee would be {fee} token, paid by {payer}")
        } else {
            format!(
                "  fee {fee} token, paid by {payer}; final in block {}, transaction {}",
                answer["height"],
                answer["transaction"].as_str().unwrap_or_default()
            )
        }
    }

    /// Answers in both forms: `says` finishes "would …" and "done: …".
    pub fn answer(&self, out: Output, answer: &Value, says: &str) {
        out.answer(answer, || {
            let lead = if self.dry_run { "would" } else { "done:" };
            vec![format!("{lead} {says}"), self.cost(answer)]
        });
    }
}

/// Adds the fields of one object to another.
pub fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// A network to pay fees: by name, or `none`.
pub async fn sponsor(session: &Session, wanted: Option<&str>) -> Result<Option<NetworkId>, Failure> {
    match wanted {
        Some("none") => Ok(None),
        wanted => session
            .network(wanted)
            .await
            .map(|(id, _)| Some(id))
            .map_err(|failure| match (failure.kind, wanted) {
                (Kind::Usage, None) => failure.hint("say who pays: --sponsor NETWORK, or --sponsor none"),
                _ => failure,
            }),
    }
}
