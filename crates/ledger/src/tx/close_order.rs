//! The provider ends an order before its time; what is still held returns to the customer. The customer cannot: a voucher it
//! signed may be on its way.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Account, Order, OrderState};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Credit, OrderId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct CloseOrder {
    #[n(0)]
    pub order: OrderId,
}

impl CloseOrder {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Order::key(&self.order)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let order: Loaded<Order> = context.load(&self.order)?.ok_or(Reject::OrderUnknown)?;
        ensure(order.state == OrderState::Open, Reject::OrderNotOpen)?;
        ensure(order.provider == *sender, Reject::NotParty)?;
        let returned = give_back(order, OrderState::Closed, context)?;
        context.emit(Event::OrderClosed {
            order: self.order,
            returned,
        });
        Ok(())
    }
}

/// Ends an order: what it holds returns to the customer, each part to its own.
pub(super) fn give_back(mut order: Loaded<Order>, state: OrderState, context: &mut Context<'_>) -> Step<Credit> {
    let mut customer: Loaded<Account> = context.account(&order.customer, Reject::AccountUnknown)?;
    let mut chain = context.chain()?;
    let returned = order.held.total()?;
    customer.credits = customer.credits.with_returned(&order.held)?;
    order.held = Default::default();
    order.state = state;
    chain.orders_open = chain.orders_open.checked_sub(1).expect("an open order is counted");
    context.save(&customer);
    context.save(&order);
    context.save(&chain);
    Ok(returned)
}
