//! Replaces the rule by which an account signs. The account's id stays.

use crate::account::Rule;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::reject::Reject;
use cairn_types::AccountId;
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RotateKeys {
    /// In force from the next transaction on.
    #[n(0)]
    pub rule: Rule,
}

impl RotateKeys {
    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        ensure(self.rule.is_valid(), Reject::RuleInvalid)?;
        let mut account = context.sender(sender)?;
        account.rule = self.rule.hash();
        context.save(&account);
        context.emit(Event::KeysRotated {
            account: *sender,
            rule: account.rule,
        });
        Ok(())
    }
}
