//! Takes the verifiers' word on one epoch of one network: a quorum of bond, within the pool that closing fixed. It only records: money
//! moves when the epoch is released. Its cost does not depend on how many devices or operators there are.

use super::release::{self, skip_expired, write_signers};
use super::result::Claim;
use super::stalled::lapse;
use super::without;
use crate::context::{Context, Step, ensure};
use crate::economics::netting::OfferTotals;
use crate::records::{
    Chain, Dispute, Epoch, ExchangeBook, Network, Pool, PoolState, Profile, Roots, Settlement, Signer, StableSupply,
    Verifier, Whose,
};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Attestation, Hash, Signature, Token, batch, codec, hash};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SettleEpoch {
    #[n(0)]
    pub attestation: Attestation,
    /// Set when operators with opposite choices exchange; else everybody is paid as earned.
    #[n(1)]
    pub exchange: Option<ExchangeAttestation>,
}

/// What verifiers say of the exchange among the operators of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Exchange {
    /// Hash of the result it belongs to.
    #[n(0)]
    pub result: Hash,
    /// Sums of what operators offer, see `economics::netting`.
    #[n(1)]
    pub offers: OfferTotals,
    /// Root of the tree over the operators' choices when the epoch closed, in the order of the leaves.
    #[n(2)]
    pub choices: Hash,
}

/// An exchange, signed by the verifiers who signed the result, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct ExchangeAttestation {
    #[n(0)]
    pub exchange: Exchange,
    #[n(1)]
    pub signatures: Vec<Signature>,
}

impl Exchange {
    pub fn signed_bytes(&self) -> [u8; 32] {
        hash::domain("cairn/exchange/1", &[&codec::encode(self)]).0
    }
}

/// The profiles of verifiers, new ones where there are none.
pub(crate) fn load_profiles(ids: &[AccountId], context: &mut Context<'_>) -> Step<Vec<Loaded<Profile>>> {
    let profiles = ids.iter().zip(context.load_many::<Profile>(ids)?);
    Ok(profiles
        .map(|(id, profile)| profile.unwrap_or_else(|| Loaded::new(id, Profile::default())))
        .collect())
}

impl SettleEpoch {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let result = &self.attestation.result;
        let at = (result.network, result.epoch);
        let mut keys = vec![
            Network::key(&result.network),
            Epoch::key(&result.epoch),
            Pool::key(&at),
            Dispute::key(&at),
            StableSupply::key(&()),
        ];
        keys.extend(Claim::reads(result));
        for (signer, _) in &self.attestation.signatures {
            keys.extend([Verifier::key(signer), Profile::key(signer)]);
        }
        keys
    }

    pub(crate) fn apply(&self, context: &mut Context<'_>) -> Step<()> {
        let result = &self.attestation.result;
        let at = (result.network, result.epoch);
        ensure(result.chain == context.genesis.chain, Reject::WrongChain)?;
        let mut network = context.network(&result.network)?;
        let mut chain = context.chain()?;
        ensure(result.epoch < chain.epoch, Reject::EpochOpen)?;
        let due = skip_expired(&at.0, network.unsettled, chain.epoch, context)?;
        ensure(result.epoch == due, Reject::EpochNotNext)?;
        let mut pool: Loaded<Pool> = context.load(&at)?.ok_or(Reject::EpochNotNext)?;
        let epoch: Loaded<Epoch> = context.load(&result.epoch)?.ok_or(Reject::EpochOpen)?;
        ensure(epoch.beacon.is_some(), Reject::BeaconPending)?;
        let verifiers = self.signers(chain.bond_active, context)?;
        let claim = Claim {
            result,
            exchange: self.exchange.as_ref().map(|attested| &attested.exchange),
        };
        let unpaid = claim.check(&network, &epoch, &pool, context)?;

        ensure(!network.is_held(), Reject::UnreleasedTooMany)?;
        let case = context.load::<Dispute>(&at)?;
        let signers = u16::try_from(verifiers.len()).expect("at most as many as there may be verifiers");
        let settlement = Settlement::of(result, self.exchange.is_some(), chain.moment(), signers);
        let profiles = self.profiles(&chain, context)?;
        chain.settlements = chain.settlements.checked_add(1).ok_or(Reject::AmountTooLarge)?;
        pool.state = PoolState::Settled;
        network.unsettled = skip_expired(&at.0, at.1.next(), chain.epoch, context)?;
        profiles.iter().for_each(|profile| context.save(profile));
        context.save(&chain);
        if let Some(case) = case {
            // The validators were asked meanwhile; now it may be disputed as any other.
            lapse(at, &case, context)?;
        }
        self.write(&settlement, &verifiers, context);
        release::settled(result, unpaid, &settlement, (network, pool), context)
    }

    /// The signers in order, once they are sorted, bonded, signed all of it and hold more than two thirds of the bond.
    fn signers(&self, bond_active: Token, context: &mut Context<'_>) -> Step<Vec<Signer>> {
        let signatures = &self.attestation.signatures;
        ensure(
            signatures.windows(2).all(|pair| pair[0].0 < pair[1].0),
            Reject::SignersUnsorted,
        )?;
        ensure(
            signatures.len() <= usize::from(context.genesis.limits.verifiers_max),
            Reject::SignerNotAVerifier,
        )?;
        let ids: Vec<AccountId> = signatures.iter().map(|(signer, _)| *signer).collect();
        let mut verifiers = Vec::with_capacity(ids.len());
        for verifier in context.load_many::<Verifier>(&ids)? {
            let verifier = verifier.ok_or(Reject::SignerNotAVerifier)?;
            ensure(verifier.bond > Token::ZERO, Reject::SignerNotAVerifier)?;
            verifiers.push(verifier);
        }
        let result = self.attestation.result.signed_bytes();
        let over =
            |message, at: usize, signature: &Signature| batch::Signed::plain(verifiers[at].key, message, *signature);
        let mut batch: Vec<batch::Signed<'_>> = signatures
            .iter()
            .enumerate()
            .map(|(at, (_, signature))| over(&result[..], at, signature))
            .collect();
        let exchange = self
            .exchange
            .as_ref()
            .map(|attested| (attested.exchange.signed_bytes(), &attested.signatures));
        if let Some((message, signatures)) = &exchange {
            ensure(signatures.len() == verifiers.len(), Reject::AttestationSignatureWrong)?;
            batch.extend(
                signatures
                    .iter()
                    .enumerate()
                    .map(|(at, signature)| over(&message[..], at, signature)),
            );
        }
        ensure(
            batch::verify(&batch).into_iter().all(|holds| holds),
            Reject::AttestationSignatureWrong,
        )?;
        let signed: u128 = verifiers.iter().map(|verifier| u128::from(verifier.bond.0)).sum();
        ensure(3 * signed > 2 * u128::from(bond_active.0), Reject::QuorumMissing)?;
        let signer = |verifier: &Loaded<Verifier>| Signer {
            account: verifier.number,
            bond: verifier.bond,
        };
        Ok(verifiers.iter().map(signer).collect())
    }

    /// What the signers' scores come to.
    fn profiles(&self, chain: &Chain, context: &mut Context<'_>) -> Step<Vec<Loaded<Profile>>> {
        let ids: Vec<AccountId> = self.attestation.signatures.iter().map(|(signer, _)| *signer).collect();
        let mut profiles = load_profiles(&ids, context)?;
        let half = context.genesis.limits.score_half_epochs;
        for profile in &mut profiles {
            profile.score = profile.score.at(chain.settlements, chain.epoch, half).signed();
        }
        Ok(profiles)
    }

    fn write(&self, settlement: &Settlement, signers: &[Signer], context: &mut Context<'_>) {
        let result = &self.attestation.result;
        let at = (result.network, result.epoch);
        context.insert(&at, settlement);
        write_signers(at, signers, context);
        without::write(at, Whose::Settled, result, context);
        context.insert(&at, &Roots::of(result));
        if let Some(attested) = &self.exchange {
            context.insert(&at, &ExchangeBook::of(&attested.exchange));
        }
    }
}
