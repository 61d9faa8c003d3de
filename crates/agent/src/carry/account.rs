//! What one device carried for one order, and what it was promised for it: whether it carries more. Pure.

use super::wire::{Promise, PromiseError, Verdict};
use cairn_types::{ChainId, Credit, DeviceNumber, OrderId, PublicKey};
use cairn_verticals::wireless::service::may_deliver;

/// The order behind a claim, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    pub chain: ChainId,
    pub order: OrderId,
    pub key: PublicKey,
    pub held: Credit,
}

pub struct Account {
    backing: Backing,
    device: DeviceNumber,
    /// What the customer may owe this device.
    exposure: Credit,
    delivered: Credit,
    promised: Credit,
    best: Option<Promise>,
}

impl Account {
    pub fn new(backing: Backing, device: DeviceNumber, exposure: Credit) -> Self {
        Self {
            backing,
            device,
            exposure,
            delivered: Credit::ZERO,
            promised: Credit::ZERO,
            best: None,
        }
    }

    /// What is owed now.
    pub fn owed(&self) -> Credit {
        self.delivered.saturating_sub(self.promised)
    }

    pub fn promised(&self) -> Credit {
        self.promised
    }

    /// Whether a frame of this price may be shown to the customer at all.
    pub fn carries(&self, price: Credit) -> bool {
        may_deliver(self.promised, self.delivered, price, self.exposure)
    }

    /// Whether a frame of this price is handed over for what the router answered; counts it if so.
    pub fn hand_over(&mut self, verdict: Verdict, price: Credit) -> bool {
        let Verdict::Bought(offered) = verdict else {
            return false;
        };
        // Less than the network's price is no sale; more is counted as what was said.
        if offered < price || !self.carries(offered) {
            return false;
        }
        self.delivered = self.delivered.checked_add(offered).unwrap_or(Credit(u64::MAX));
        true
    }

    /// Takes a promise that is better than the one before. Says whether it is.
    pub fn promise(&mut self, promise: Promise) -> Result<bool, PromiseError> {
        let Backing {
            chain,
            order,
            key,
            held,
        } = &self.backing;
        promise.check(chain, order, key, *held)?;
        let credits = promise.settle.voucher.credits;
        let before = self.best.as_ref().map(|best| best.settle.voucher.credits);
        // A later one that takes back what this device was promised is none.
        if promise.of(self.device) < self.promised || before.is_some_and(|before| credits <= before) {
            return Ok(false);
        }
        self.promised = promise.of(self.device);
        if before.is_none() {
            // What an earlier life delivered is promised here too: it pays for nothing new.
            self.delivered = self.delivered.max(self.promised);
        }
        self.best = Some(promise);
        Ok(true)
    }

    /// The best promise so far, which pays when it is settled.
    pub fn best(&self) -> Option<&Promise> {
        self.best.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Entry;
    use super::*;
    use cairn_types::SecretKey;

    const ME: DeviceNumber = DeviceNumber(5);

    fn secret() -> SecretKey {
        SecretKey::ed25519([1; 32])
    }

    fn account() -> Account {
        let backing = Backing {
            chain: "one".parse().unwrap(),
            order: OrderId([4; 32]),
            key: secret().public(),
            held: Credit(1_000),
        };
        Account::new(backing, ME, Credit(30))
    }

    fn promise(account: &Account, mine: u64, others: u64) -> Promise {
        let entry = |device, credits| Entry {
            device,
            credits: Credit(credits),
        };
        let entries = vec![entry(DeviceNumber(1), others), entry(ME, mine)];
        Promise::sign(account.backing.order, entries, &account.backing.chain, &secret()).unwrap()
    }

    #[test]
    fn who_signs_nothing_is_cut_off_after_the_exposure_and_taken_up_again_when_it_signs() {
        let mut account = account();
        let bought = Verdict::Bought(Credit(10));
        for _ in 0..3 {
            assert!(account.hand_over(bought, Credit(10)));
        }
        assert!(!account.carries(Credit(10)) && !account.hand_over(bought, Credit(10)));
        assert_eq!(account.owed(), Credit(30));
        let signed = promise(&account, 20, 7);
        assert_eq!(account.promise(signed), Ok(true));
        assert_eq!(account.owed(), Credit(10));
        assert!(account.hand_over(bought, Credit(10)) && account.hand_over(bought, Credit(10)));
        assert!(!account.hand_over(bought, Credit(10)));
    }

    #[test]
    fn what_was_promised_for_an_earlier_lifes_packets_pays_for_no_new_ones() {
        let mut account = account();
        assert!(account.hand_over(Verdict::Bought(Credit(10)), Credit(10)));
        let old = promise(&account, 500, 0);
        assert_eq!(account.promise(old), Ok(true));
        for _ in 0..3 {
            assert!(account.hand_over(Verdict::Bought(Credit(10)), Credit(10)));
        }
        assert!(!account.carries(Credit(10)));
    }

    #[test]
    fn nothing_is_handed_over_for_less_than_the_price_or_for_a_refusal() {
        let mut account = account();
        for verdict in [
            Verdict::Bought(Credit(9)),
            Verdict::Enough,
            Verdict::Twice,
            Verdict::Unwanted,
            Verdict::Spent,
        ] {
            assert!(!account.hand_over(verdict, Credit(10)));
        }
        assert_eq!(account.owed(), Credit::ZERO);
    }

    #[test]
    fn a_promise_that_takes_something_back_or_is_no_better_is_none() {
        let mut account = account();
        let (first, less, same) = (
            promise(&account, 20, 0),
            promise(&account, 10, 100),
            promise(&account, 20, 0),
        );
        assert_eq!(account.promise(first.clone()), Ok(true));
        assert_eq!(account.promise(less), Ok(false));
        assert_eq!(account.promise(same), Ok(false));
        assert_eq!(account.best(), Some(&first));
        let too_much = promise(&account, 20, 1_000);
        assert_eq!(account.promise(too_much), Err(PromiseError::AboveHeld));
        let more = promise(&account, 20, 1);
        assert_eq!(account.promise(more), Ok(true), "others were paid");
    }
}
