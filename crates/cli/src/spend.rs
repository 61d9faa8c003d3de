//! What commands that send transactions share: who signs, who pays the fee, that `--dry-run` sends nothing, and that `--export` writes
//! a file for other owners to sign instead.

use crate::accounts::{Accounts, Signer, settle};
use crate::error::{Done, Failure, Kind};
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use crate::tx_file::TxFile;
use cairn_client::{ClientError, Confirmed, Wallet};
use cairn_ledger::tx::{Body, Sponsor, Transaction};
use cairn_types::{AccountId, NetworkId};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the options of all that is sent stand in a command's help.
const SENDING: &str = "Who sends it, and whether";

/// Who acts, and whether it is meant.
#[derive(Clone, clap::Args)]
pub struct Spending {
    /// Who acts and pays: the name of a key here, or of an account noted here.
    #[arg(long, value_name = "NAME", default_value = "me", help_heading = SENDING)]
    pub key: String,
    #[command(flatten)]
    pub sending: Sending,
}

/// Whether it is meant.
#[derive(Clone, clap::Args)]
pub struct Sending {
    /// Say what would be sent and what it costs, and send nothing.
    #[arg(long, help_heading = SENDING)]
    pub dry_run: bool,
    /// Send nothing, but write the transaction to a file that other owners of the account sign with `cairn tx sign`.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = SENDING)]
    pub export: Option<PathBuf>,
}

/// A signer at work.
pub struct Spender<'a> {
    pub session: &'a Session,
    signer: Signer,
    sponsor: Option<NetworkId>,
    sending: Sending,
}

/// What was sent, or would be.
pub struct Sent {
    pub answer: Value,
    /// None when nothing was sent.
    pub confirmed: Option<Confirmed>,
}

impl<'a> Spender<'a> {
    /// Whoever has the name of `--key`. Changed keys that the ledger has taken by now replace the old ones here.
    pub async fn new(session: &'a Session, spending: &Spending) -> Result<Self, Failure> {
        let signer = session.signer(&spending.key).await?;
        if !spending.sending.dry_run
            && let Some(known) = Accounts::of(&session.home)?.get(&spending.key)?
        {
            settle(&session.home, &spending.key, &known, &signer.rule)?;
        }
        Ok(Self::of(session, signer, &spending.sending))
    }

    pub fn of(session: &'a Session, signer: Signer, sending: &Sending) -> Self {
        Self {
            session,
            signer,
            sponsor: None,
            sending: sending.clone(),
        }
    }

    /// Fees come from the network's allowance.
    pub fn sponsored_by(mut self, sponsor: Option<NetworkId>) -> Self {
        self.sponsor = sponsor;
        self
    }

    pub fn account(&self) -> AccountId {
        self.signer.account
    }

    pub fn is_dry_run(&self) -> bool {
        self.sending.dry_run
    }

    /// Whether transactions go into a file instead of to the node.
    pub fn exports(&self) -> bool {
        self.sending.export.is_some()
    }

    fn wallet(&self) -> Wallet {
        let Signer { account, rule, secrets } = self.signer.clone();
        let wallet = Wallet::new(&self.session.genesis, account, rule, secrets);
        match self.sponsor {
            Some(network) => wallet.sponsored_by(network),
            None => wallet,
        }
    }

    /// The account's next transaction, allowing exactly the fee of genesis.
    pub async fn next(&self, body: Body) -> Result<Transaction, Failure> {
        let nonce = match self.session.client.next_nonce(&self.account()).await {
            Err(ClientError::NoAccount(_)) if matches!(body, Body::OpenAccount(_)) => 1,
            asked => asked.map_err(failed)?,
        };
        Ok(Transaction {
            chain: self.session.genesis.chain.clone(),
            account: self.account(),
            nonce,
            fee_max: self.wallet().fee(&body),
            sponsor: self.sponsor.map(Sponsor::Network),
            body,
        })
    }

    /// Sends a transaction and waits until it is proven final; only says so in a dry run, and writes it down for an export. `facts`
    /// are what it is about.
    pub async fn send(&self, action: &str, facts: Value, body: Body) -> Result<Sent, Failure> {
        let mut answer = self.plan(action, facts, &body);
        if self.sending.dry_run {
            return Ok(Sent {
                answer,
                confirmed: None,
            });
        }
        if let Some(path) = &self.sending.export {
            let transaction = self.next(body).await?;
            merge(&mut answer, self.export(path, transaction)?);
            return Ok(Sent {
                answer,
                confirmed: None,
            });
        }
        self.must_be_whole()?;
        let mut wallet = self.wallet();
        let confirmed = self.session.client.send(&mut wallet, body).await.map_err(failed)?;
        merge(&mut answer, place(&confirmed));
        Ok(Sent {
            answer,
            confirmed: Some(confirmed),
        })
    }

    /// What will be asked of the ledger, by whom, and what it costs.
    fn plan(&self, action: &str, facts: Value, body: &Body) -> Value {
        let mut answer = json!({
            "action": action,
            "account": self.account().to_string(),
            "fee_token": self.wallet().fee(body).0,
            "fee_paid_by": self.sponsor.map_or("account".to_owned(), |network| network.to_string()),
            "dry_run": self.sending.dry_run,
        });
        merge(&mut answer, facts);
        answer
    }

    /// Writes a transaction down, with the signatures of the keys that are here.
    pub fn export(&self, path: &Path, transaction: Transaction) -> Result<Value, Failure> {
        let mut file = TxFile::new(transaction, self.signer.rule.clone());
        for secret in &self.signer.secrets {
            file.sign(secret);
        }
        file.write(path)?;
        Ok(json!({
            "export": path.display().to_string(),
            "transaction": file.transaction.id().to_string(),
            "signatures": file.signatures.len(),
            "threshold": file.rule.threshold,
        }))
    }

    /// Who lacks keys must ask their owners.
    pub fn must_be_whole(&self) -> Done {
        if self.signer.is_whole() {
            return Ok(());
        }
        let fact = format!(
            "the account needs {} signatures, and keys for {} are here",
            self.signer.rule.threshold,
            self.signer.secrets.len()
        );
        let hint = "add --export FILE, let the other owners run `cairn tx sign FILE`, then `cairn tx submit FILE`";
        Err(Failure::new(Kind::Refused, fact).hint(hint))
    }

    /// The signed transaction, by the keys that are here.
    pub fn sign(&self, transaction: Transaction) -> cairn_ledger::Signed {
        transaction.sign_by(&self.signer.rule, &self.signer.secrets)
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
        if self.sending.dry_run {
            format!("  nothing was sent; the fee would be {fee} token, paid by {payer}")
        } else if self.exports() {
            let file = answer["export"].as_str().unwrap_or_default();
            let next = match answer["signatures"].as_u64() < answer["threshold"].as_u64() {
                true => format!("`cairn tx sign {file}` by other owners, then `cairn tx submit {file}`"),
                false => format!("`cairn tx submit {file}`"),
            };
            format!(
                "  nothing was sent: {file} has {} of {} signatures; the fee will be {fee} token, paid by {payer}\n  next: {next}",
                answer["signatures"], answer["threshold"]
            )
        } else {
            format!(
                "  fee {fee} token, paid by {payer}; final in block {}, transaction {}",
                answer["height"],
                answer["transaction"].as_str().unwrap_or_default()
            )
        }
    }

    /// Answers in both forms: `says` finishes "would …", "to be signed: …" and "done: …".
    pub fn answer(&self, out: Output, answer: &Value, says: &str) {
        out.answer(answer, || {
            let lead = match (self.sending.dry_run, self.exports()) {
                (true, _) => "would",
                (false, true) => "to be signed:",
                (false, false) => "done:",
            };
            vec![format!("{lead} {says}"), self.cost(answer)]
        });
    }
}

/// Where a transaction became final.
pub fn place(confirmed: &Confirmed) -> Value {
    json!({
        "transaction": confirmed.id.to_string(),
        "height": confirmed.height,
        "time": confirmed.time.to_string(),
        "proven": confirmed.proven,
    })
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
