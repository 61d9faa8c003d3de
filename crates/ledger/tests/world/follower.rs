//! Who follows a chain by its genesis and its events alone: what every account holds by that. It sees no record, no transaction, no leaf.

use cairn_ledger::event::LeafPaid;
use cairn_ledger::records::{Account, AccountIndex};
use cairn_ledger::tables::{self, Record, Table};
use cairn_ledger::tx::Asset;
use cairn_ledger::*;
use cairn_types::*;
use std::collections::BTreeMap;

/// Tokens, stablecoin and credits of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub token: u64,
    pub stable: u64,
    pub credits: u64,
}

/// What accounts hold as far as events tell.
pub struct Follower {
    accounts: BTreeMap<AccountId, Held>,
    numbers: Vec<AccountId>,
    customers: BTreeMap<OrderId, AccountId>,
}

impl Follower {
    /// Genesis numbers its accounts in order.
    pub fn new(genesis: &Genesis) -> Self {
        let ids = genesis
            .allocations
            .iter()
            .map(|allocation| allocation.rule.account_id());
        let held = genesis.allocations.iter().map(|allocation| Held {
            token: allocation.token.0,
            stable: allocation.stable.0,
            credits: 0,
        });
        Self {
            numbers: ids.clone().collect(),
            accounts: ids.zip(held).collect(),
            customers: BTreeMap::new(),
        }
    }

    /// A later era begins: its genesis names validators, and who of them had no account has one with nothing in it, in their order.
    pub fn take_over(&mut self, validators: impl IntoIterator<Item = AccountId>) {
        for id in validators {
            if !self.accounts.contains_key(&id) {
                self.numbers.push(id);
                self.accounts.insert(id, Held::default());
            }
        }
    }

    fn held(&mut self, id: &AccountId) -> &mut Held {
        self.accounts.get_mut(id).expect("every account was announced")
    }

    fn give(&mut self, id: &AccountId, amount: Asset) {
        match amount {
            Asset::Token(amount) => self.held(id).token += amount.0,
            Asset::Stable(amount) => self.held(id).stable += amount.0,
        }
    }

    /// Panics when an account gives what it does not have.
    fn take(&mut self, id: &AccountId, amount: Asset) {
        match amount {
            Asset::Token(amount) => self.held(id).token -= amount.0,
            Asset::Stable(amount) => self.held(id).stable -= amount.0,
        }
    }

    /// All that moves the balance of an account. An event that does none stands at the end.
    pub fn hear(&mut self, event: &Event) {
        use Asset::{Stable, Token as Tokens};
        match event {
            Event::FeePaid { payer, fee } => self.take(payer, Tokens(*fee)),
            Event::AccountOpened { account, number } => {
                assert_eq!(number.0 as usize, self.numbers.len(), "numbers are dense");
                self.numbers.push(*account);
                self.accounts.insert(*account, Held::default());
            }
            Event::Transferred { from, to, amount } => {
                self.take(from, *amount);
                self.give(to, *amount);
            }
            Event::StableIssued { to, amount, .. } => self.give(to, Stable(*amount)),
            Event::StableRedeemed { from, amount, .. } => self.take(from, Stable(*amount)),
            Event::CreditsBought {
                account,
                credits,
                paid,
                burned,
            } => {
                self.take(account, Stable(*paid));
                self.take(account, Tokens(*burned));
                self.held(account).credits += credits.0;
            }
            Event::CreditsRefunded {
                account, credits, paid, ..
            } => {
                self.held(account).credits -= credits.0;
                self.give(account, Stable(*paid));
            }
            Event::TokenSoldBack { account, burned, paid } => {
                self.take(account, Tokens(*burned));
                self.give(account, Stable(*paid));
            }
            Event::VerifierBonded { verifier, amount } => self.take(verifier, Tokens(*amount)),
            Event::VerifierUnbonded { verifier, amount } => self.give(verifier, Tokens(*amount)),
            Event::VerifierSlashed { reporter, rewarded, .. } => self.give(reporter, Tokens(*rewarded)),
            Event::VerifierPaid { verifier, amount, .. } => self.give(verifier, Stable(*amount)),
            Event::NetworkCreated {
                founder,
                bond,
                allowance,
                ..
            } => {
                self.take(founder, Tokens(*bond));
                self.take(founder, Tokens(*allowance));
            }
            Event::TreasuryFunded { by, amount, .. } => self.take(by, *amount),
            Event::TreasuryDrawn { by, amount, .. } => self.give(by, *amount),
            Event::BondReturned { to, amount, .. } => self.give(to, Tokens(*amount)),
            Event::LeavesPaid { start, end, leaves, .. } => {
                assert_eq!(leaves.len(), (end - start) as usize, "each leaf is told");
                for LeafPaid {
                    operator,
                    token,
                    stable,
                } in leaves
                {
                    let operator = self.numbers[operator.0 as usize];
                    self.give(&operator, Tokens(*token));
                    self.give(&operator, Stable(*stable));
                }
            }
            Event::DisputeOpened { disputer, bond, .. } => self.take(disputer, Tokens(*bond)),
            Event::DisputeBondReturned { to, amount, .. } => self.give(to, Tokens(*amount)),
            Event::OrderOpened {
                order, customer, held, ..
            } => {
                self.held(customer).credits -= held.0;
                self.customers.insert(*order, *customer);
            }
            Event::OrderClosed { order, returned } | Event::OrderExpired { order, returned } => {
                let customer = self.customers[order];
                self.held(&customer).credits += returned.0;
            }
            _ => {}
        }
    }

    /// Where what was heard differs from what the ledger holds: account, heard, held.
    pub fn differences(&self, store: &MemoryStore) -> Vec<(AccountId, Held, Held)> {
        let records: Vec<Account> = store
            .table(Table::Account as u8)
            .map(|(_, bytes)| tables::decode(bytes))
            .collect();
        assert_eq!(records.len(), self.accounts.len(), "every account was announced");
        let differs = |account: &Account| {
            let index = store
                .record(&AccountIndex::key(&account.number))
                .expect("each has its number");
            let id = tables::decode::<AccountIndex>(index).id;
            let held = Held {
                token: account.token.0,
                stable: account.stable.0,
                credits: account.credits.stable.0 + account.credits.burned.0,
            };
            let heard = self.accounts[&id];
            (heard != held).then_some((id, heard, held))
        };
        records.iter().filter_map(differs).collect()
    }
}
