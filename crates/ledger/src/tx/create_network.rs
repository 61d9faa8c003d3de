//! Starts a network: its name, what judges it, its terms, its bond, and what it sets aside for the fees of those who join.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{
    Network, NetworkIndex, PARAMETER_PAGE_BYTES, PARAMETERS_BYTES_MAX, ParameterPage, Terms, TermsVersion, Usage,
};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, ChainId, EpochNumber, MicroUsd, NetworkId, NetworkNumber, Token, hash};
use minicbor::{CborLen, Decode, Encode};

/// The finest public place a network may ask for; finer H3 cells are single homes.
pub const RESOLUTION_MAX: u8 = 10;
/// Bytes of names.
pub const NAME_BYTES_MAX: usize = 32;
pub const VERTICAL_BYTES_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct CreateNetwork {
    /// Unique among the founder's networks: the id is the hash of chain, founder and name.
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub vertical: String,
    /// H3 resolution of its devices' public cells.
    #[n(2)]
    pub resolution: u8,
    /// For the vertical; opaque here.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub parameters: Vec<u8>,
    /// Micro-USD for 10^6 service units.
    #[n(4)]
    pub price_micro_usd: u64,
    #[n(5)]
    pub bond: Token,
    /// Set aside for fees of devices and new accounts.
    #[n(6)]
    pub allowance: Token,
    /// Who may draw on the treasury.
    #[n(7)]
    pub treasurer: AccountId,
}

impl CreateNetwork {
    pub(crate) fn reads(&self, chain: &ChainId, sender: &AccountId) -> Vec<Key> {
        vec![Network::key(&NetworkId::of(chain, sender, &self.name))]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let limits = &context.genesis.limits;
        let id = NetworkId::of(&context.genesis.chain, sender, &self.name);
        let mut founder = context.sender(sender)?;
        let mut chain = context.chain()?;
        founder.take_token(self.bond)?;
        founder.take_token(self.allowance)?;
        ensure(is_plain(&self.name, NAME_BYTES_MAX, b"-"), Reject::NameInvalid)?;
        ensure(
            is_plain(&self.vertical, VERTICAL_BYTES_MAX, b""),
            Reject::VerticalInvalid,
        )?;
        ensure(self.resolution <= RESOLUTION_MAX, Reject::ResolutionInvalid)?;
        ensure(self.parameters.len() <= PARAMETERS_BYTES_MAX, Reject::ParametersTooLong)?;
        ensure(self.bond >= limits.network_bond_min, Reject::NetworkBondTooSmall)?;
        ensure(context.load::<Network>(&id)?.is_none(), Reject::NetworkExists)?;
        ensure(chain.networks < limits.networks_max, Reject::NetworksFull)?;

        let number = NetworkNumber(chain.networks);
        chain.networks = chain.networks.checked_add(1).ok_or(Reject::NetworksFull)?;
        let network = Network {
            number,
            name: self.name.clone(),
            vertical: self.vertical.clone(),
            founder: *sender,
            treasurer: self.treasurer,
            resolution: self.resolution,
            bond: self.bond,
            created: chain.epoch,
            closes: None,
            roster: 0,
            unsettled: chain.epoch,
            unreleased: chain.epoch,
            held: chain.epoch,
            treasury_token: Token::ZERO,
            treasury_stable: MicroUsd::ZERO,
            allowance: self.allowance,
            carry_token: Token::ZERO,
            carry_stable: MicroUsd::ZERO,
        };
        let current = write_terms(&id, 0, chain.epoch, &self.parameters, self.price_micro_usd, context);
        context.save(&founder);
        context.save(&chain);
        context.insert(&id, &network);
        context.insert(&number, &NetworkIndex { id });
        context.insert(&id, &Terms { current, next: None });
        context.insert(&id, &Usage::default());
        context.emit(Event::NetworkCreated {
            network: id,
            number,
            founder: *sender,
            name: self.name.clone(),
            vertical: self.vertical.clone(),
            bond: self.bond,
            allowance: self.allowance,
        });
        Ok(())
    }
}

/// Writes the pages of a version and announces it.
pub(super) fn write_terms(
    network: &NetworkId,
    version: u32,
    from: EpochNumber,
    parameters: &[u8],
    price_micro_usd: u64,
    context: &mut Context<'_>,
) -> TermsVersion {
    for (page, bytes) in (0u8..).zip(parameters.chunks(PARAMETER_PAGE_BYTES)) {
        context.insert(&(*network, version, page), &ParameterPage { bytes: bytes.to_vec() });
    }
    for page in parameters.len().div_ceil(PARAMETER_PAGE_BYTES)..PARAMETERS_BYTES_MAX.div_ceil(PARAMETER_PAGE_BYTES) {
        let page = u8::try_from(page).expect("a version has few pages");
        context.delete::<ParameterPage>(&(*network, version, page)); // of a version that this one replaces
    }
    let hash = hash::sha256(parameters);
    let bytes = u16::try_from(parameters.len()).expect("checked to be at most 1,024");
    context.emit(Event::TermsSet {
        network: *network,
        version,
        from,
        parameters: hash,
    });
    TermsVersion {
        version,
        from,
        hash,
        bytes,
        price_micro_usd,
    }
}

fn is_plain(name: &str, bytes_max: usize, also: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also.contains(&byte);
    (1..=bytes_max).contains(&name.len()) && name.bytes().all(plain)
}
