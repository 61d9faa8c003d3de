//! A command's talk with the node of the settings: everything that matters is proven against the anchor kept from the first talk.

use crate::accounts::{Accounts, Known, Signer};
use crate::error::{Failure, Kind};
use crate::home::{AnchorText, Home, Settings};
use cairn_client::{ClientError, HandOver, NodeClient};
use cairn_ledger::account::Rule;
use cairn_ledger::records::{Account, Chain, Network, NetworkIndex};
use cairn_ledger::{Genesis, Reject};
use cairn_types::{AccountId, DeviceId, NetworkId, NetworkNumber};
use std::path::Path;

pub struct Session {
    pub home: Home,
    pub settings: Settings,
    /// Believes what is proven.
    pub client: NodeClient,
    /// Believes the node's word: for lists, whose entries are looked up again before anything is done with them.
    pub told: NodeClient,
    pub genesis: Genesis,
    /// From the era of the settings' trust anchor to the one of the client's; empty when it is the same.
    pub hand_overs: Vec<HandOver>,
}

impl Session {
    /// Trusts what the node says of its own key at the first talk, and keeps it: a node of another chain is refused from then on.
    pub async fn open(home: &Path) -> Result<Self, Failure> {
        let home = Home::at(home);
        let mut settings = home.settings()?;
        let told = NodeClient::new(settings.node()).map_err(failed)?;
        let anchor = match &settings.anchor {
            Some(anchor) => anchor.anchor()?,
            None => {
                let anchor = told.status().await.map_err(failed)?.anchor_as_told().map_err(failed)?;
                settings.anchor = Some(AnchorText::from(&anchor));
                settings.node = Some(settings.node().to_owned());
                home.save(&settings)?;
                anchor
            }
        };
        let client = NodeClient::trusting(settings.node(), anchor).map_err(failed)?;
        let (client, hand_overs) = client.followed().await.map_err(other_chain)?;
        let genesis = client.genesis().await.map_err(other_chain)?;
        if settings.decimals != Some(genesis.economics.decimals) {
            settings.decimals = Some(genesis.economics.decimals);
            home.save(&settings)?;
        }
        Ok(Self {
            home,
            settings,
            client,
            told,
            genesis,
            hand_overs,
        })
    }

    pub fn decimals(&self) -> u8 {
        self.genesis.economics.decimals
    }

    pub async fn chain(&self) -> Result<Chain, Failure> {
        let chain = self.client.chain().await.map_err(failed)?.value;
        chain.ok_or_else(|| Failure::new(Kind::Unreachable, "the chain has no block yet"))
    }

    /// The id of an account: the id itself, that of a noted account, or that of a key by its name.
    pub fn account_id(&self, name: &str) -> Result<AccountId, Failure> {
        account_id(&self.home, name)
    }

    /// Who acts under a name: a noted account by the rule that the ledger says is in force, or the account of a key.
    pub async fn signer(&self, name: &str) -> Result<Signer, Failure> {
        let keys = self.home.account_keys()?;
        let Some(known) = Accounts::of(&self.home)?.get(name)? else {
            let rule = Rule::single(self.home.account_key(name)?.public());
            return Ok(Signer::new(rule.account_id(), rule, &keys));
        };
        let rule = self.rule_in_force(name, &known).await?;
        Ok(Signer::new(known.id, rule, &keys))
    }

    async fn rule_in_force(&self, name: &str, known: &Known) -> Result<Rule, Failure> {
        let account = self.client.account(&known.id).await.map_err(failed)?.value;
        let Some(account) = account else {
            // Not opened yet: by the rule that gives it its id.
            let opens = known.rules.iter().find(|rule| rule.account_id() == known.id);
            return opens.cloned().ok_or_else(|| no_account(known.id));
        };
        known.in_force(&account.rule).cloned().ok_or_else(|| {
            Failure::new(
                Kind::Refused,
                format!("the keys of account {name} were changed elsewhere"),
            )
            .hint(format!(
                "note its present ones with `cairn account add {name} --id {} --key KEY …`",
                known.id
            ))
        })
    }

    /// An account that must be there.
    pub async fn account(&self, id: &AccountId) -> Result<Account, Failure> {
        let account = self.client.account(id).await.map_err(failed)?.value;
        account.ok_or_else(|| no_account(id))
    }

    /// Every network, by number.
    pub async fn networks(&self) -> Result<Vec<(NetworkId, Network)>, Failure> {
        let numbers: Vec<NetworkNumber> = (0..self.chain().await?.networks).map(NetworkNumber).collect();
        let ids = self.told.records::<NetworkIndex>(&numbers).await.map_err(failed)?;
        let ids: Vec<NetworkId> = ids.into_iter().flatten().map(|index| index.id).collect();
        let networks = self.told.records::<Network>(&ids).await.map_err(failed)?;
        Ok(ids
            .into_iter()
            .zip(networks)
            .filter_map(|(id, network)| Some((id, network?)))
            .collect())
    }

    /// A network by name, number or id; the only one there is, when none is named.
    pub async fn network(&self, wanted: Option<&str>) -> Result<(NetworkId, Network), Failure> {
        let id = match wanted.map(str::parse::<NetworkId>) {
            Some(Ok(id)) => id,
            _ => choose(&self.networks().await?, wanted)?,
        };
        let network = self.client.network(&id).await.map_err(failed)?.value;
        let network = network.ok_or_else(|| no_network(&id.to_string()))?;
        Ok((id, network))
    }
}

/// The id of an account: the id itself, that of a noted account, or that of a key by its name.
pub fn account_id(home: &Home, name: &str) -> Result<AccountId, Failure> {
    if let Ok(id) = name.parse::<AccountId>() {
        return Ok(id);
    }
    match Accounts::of(home)?.get(name)? {
        Some(known) => Ok(known.id),
        None => Ok(Rule::single(home.account_key(name)?.public()).account_id()),
    }
}

/// The id of a device: the id itself, or that of a key by its name.
pub fn device_id(home: &Home, name: &str) -> Result<DeviceId, Failure> {
    if let Ok(id) = name.parse::<DeviceId>() {
        return Ok(id);
    }
    let keys = home.device_keys()?;
    let key = keys.get(name).ok_or_else(|| {
        Failure::new(Kind::NotFound, format!("there is no device key called {name}"))
            .hint("`cairn key list` names the keys here; a device has an id of 64 hexadecimal digits as well")
    })?;
    Ok(key.public().device_id())
}

/// Names are unique among one founder's networks only, so a name may need its id.
fn choose(networks: &[(NetworkId, Network)], wanted: Option<&str>) -> Result<NetworkId, Failure> {
    let fits = |network: &Network| match wanted {
        None => true,
        Some(wanted) => network.name == wanted || network.number.to_string() == wanted,
    };
    let found: Vec<NetworkId> = networks
        .iter()
        .filter(|(_, network)| fits(network))
        .map(|(id, _)| *id)
        .collect();
    match (found.as_slice(), wanted) {
        ([one], _) => Ok(*one),
        ([], Some(wanted)) => Err(no_network(wanted)),
        ([], None) => {
            Err(Failure::new(Kind::NotFound, "the ledger has no network yet")
                .hint("start one with `cairn network create`"))
        }
        (several, _) => Err(Failure::new(Kind::Usage, format!("{} networks fit", several.len()))
            .hint("name one by its id; `cairn network list` shows them")),
    }
}

fn no_network(wanted: &str) -> Failure {
    Failure::new(Kind::NotFound, format!("the ledger knows no network {wanted}"))
        .hint("`cairn network list` names the networks")
}

fn no_account(id: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::NotFound, format!("the ledger has no account {id}"))
        .hint("open it with `cairn account open`: a network pays the fee")
}

pub fn other_chain(error: ClientError) -> Failure {
    match error {
        ClientError::OtherThing(_) => Failure::new(Kind::Refused, "the node's chain is not the one of the settings")
            .hint("if the chain was begun anew, forget the old one: `cairn config set --forget-anchor`"),
        other => failed(other),
    }
}

/// A client's error as a failed command: its kind by what happened, its hint by what this program offers.
pub fn failed(error: ClientError) -> Failure {
    match error.reject() {
        Some(Reject::CreditsInsufficient) => crate::roles::chain::failed(error).hint("cairn credits buy --stable USD"),
        Some(Reject::AccountUnknown) => {
            crate::roles::chain::failed(error).hint("open the account first: `cairn account open`")
        }
        Some(Reject::RuleNotCurrent) => crate::roles::chain::failed(error).hint(
            "the account's keys were changed elsewhere: bring account.keys of that folder here, or note its present keys with `cairn account add`",
        ),
        Some(Reject::NotFounder | Reject::NotTreasurer | Reject::NotDeviceOwner) => {
            crate::roles::chain::failed(error).hint("act as that account: --key NAME, if its key is here")
        }
        Some(Reject::FeeUnaffordable) => crate::roles::chain::failed(error)
            .hint("let somebody give the account token: `cairn account transfer ID --token TOKENS`"),
        Some(_) => crate::roles::chain::failed(error),
        None => other(error),
    }
}

fn other(error: ClientError) -> Failure {
    let kind = match &error {
        ClientError::NoAccount(id) => return no_account(id),
        ClientError::Address(_) => Kind::Usage,
        ClientError::Refused { status: 404, .. } => Kind::NotFound,
        ClientError::Refused { status: 400..500, .. } if !error.is_passing() => Kind::Refused,
        ClientError::Unproven(_) | ClientError::OtherThing(_) => Kind::Refused,
        _ => Kind::Unreachable,
    };
    let hint = match &error {
        ClientError::Unreachable(_) => {
            "start the network with `cairn up`, or say where the node is: `cairn config set --node URL`"
        }
        other => other.hint(),
    }
    .to_owned();
    Failure::new(kind, error).hint(hint)
}
