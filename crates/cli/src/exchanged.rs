//! What operators exchanged among themselves in an epoch: worked out from a verifier's archive, and believed only if it leads to what
//! the ledger settled. Reads no file and sends nothing.

use crate::error::{Failure, Kind};
use crate::session::failed;
use cairn_client::NodeClient;
use cairn_ledger::economics::Scale;
use cairn_ledger::economics::netting::Exchange;
use cairn_ledger::records::{ExchangeBook, Settlement};
use cairn_types::{EpochNumber, NetworkId, PayoutLeaf, Price};
use cairn_verifier::exchange::{self, Choice};
use serde_json::{Value, json};

/// The exchange of a settled epoch, as the ledger has it.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    pub book: ExchangeBook,
    pub price: Option<Price>,
    pub scale: Scale,
}

impl Settled {
    /// `None`: everybody was paid as earned.
    pub async fn read(
        client: &NodeClient,
        network: &NetworkId,
        epoch: EpochNumber,
        settlement: &Settlement,
    ) -> Result<Option<Self>, Failure> {
        if !settlement.exchanged {
            return Ok(None);
        }
        let book = client.exchange(network, epoch).await.map_err(failed)?.value;
        let pool = client.pool(network, epoch).await.map_err(failed)?.value;
        let scale = client.genesis().await.map_err(failed)?.economics.scale();
        let contrary = || Failure::new(Kind::Unreachable, "the node's records contradict each other");
        let (book, pool) = book.zip(pool).ok_or_else(contrary)?;
        Ok(Some(Self {
            book,
            price: pool.exchange_price,
            scale: scale.map_err(|_| contrary())?,
        }))
    }

    /// What each leaf exchanged, in order, from the choices that an archive says their operators had made.
    pub fn steps(&self, leaves: &[PayoutLeaf], choices: &[Choice]) -> Result<Vec<Exchange>, Failure> {
        let differs = |fact: &str| {
            Failure::new(Kind::Differs, fact).hint("ask another verifier, and run `cairn audit` on this one's archive")
        };
        if choices.len() != leaves.len() || exchange::choices_root(choices) != self.book.choices {
            return Err(differs("the archive's choices are not those that were attested"));
        }
        let offered = exchange::offered(self.scale, self.price, leaves, choices);
        if offered != Ok(self.book.offers) {
            return Err(differs("the attested offers are not what the choices come to"));
        }
        exchange::steps(self.scale, self.price, leaves, choices)
            .map_err(|error| differs(&format!("the exchange cannot be worked out: {error}")))
    }
}

/// One operator's part, for machines.
pub fn face(wants: Choice, step: &Exchange) -> Value {
    json!({
        "wants_stable_bps": wants.map(|part| part.get()),
        "token_given": step.tokens_given.0,
        "token_received": step.tokens_received.0,
        "cash_given_micro_usd": step.cash_given.0,
        "cash_received_micro_usd": step.cash_received.0,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use cairn_types::{AccountNumber, BasisPoints, Credit, Hash, MicroUsd, Token};

    /// A seller, one without a choice, and a buyer, at half a dollar for a token of 6 decimals.
    pub fn settled() -> (Settled, Vec<PayoutLeaf>, Vec<Choice>) {
        let leaf = |operator, tokens, cash| PayoutLeaf {
            operator: AccountNumber(operator),
            units: 1,
            availability: Token(tokens),
            usage: Token(0),
            cash: MicroUsd(cash),
            customers_paid: Credit(0),
        };
        let leaves = vec![leaf(1, 300, 0), leaf(2, 50, 50), leaf(5, 0, 100)];
        let choices = vec![Some(BasisPoints::WHOLE), None, BasisPoints::new(0)];
        let (scale, price) = (Scale::of_decimals(6).unwrap(), Some(Price(50_000_000)));
        let book = ExchangeBook {
            offers: exchange::offered(scale, price, &leaves, &choices).unwrap(),
            choices: exchange::choices_root(&choices),
            running: Default::default(),
        };
        (Settled { book, price, scale }, leaves, choices)
    }

    #[test]
    fn an_exchange_is_believed_only_if_it_leads_to_what_was_settled() {
        let (settled, leaves, choices) = settled();
        let steps = settled.steps(&leaves, &choices).unwrap();
        assert_eq!(
            (steps[0].tokens_given, steps[0].cash_received),
            (Token(200), MicroUsd(100))
        );
        assert_eq!(steps[1], Exchange::default());
        assert_eq!(
            (steps[2].cash_given, steps[2].tokens_received),
            (MicroUsd(100), Token(200))
        );
        assert_eq!(face(choices[0], &steps[0])["token_given"], 200);

        let refused = |settled: &Settled, choices: &[Choice]| settled.steps(&leaves, choices).unwrap_err().kind;
        assert_eq!(refused(&settled, &choices[..2]), Kind::Differs);
        assert_eq!(refused(&settled, &[None, None, None]), Kind::Differs);
        let mut other = settled;
        other.book.choices = Hash([1; 32]);
        assert_eq!(refused(&other, &choices), Kind::Differs);
        let mut other = settled;
        other.book.offers.tokens = Token(1);
        assert_eq!(refused(&other, &choices), Kind::Differs);
    }
}
