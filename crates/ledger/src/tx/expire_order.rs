//! Ends an order whose time, counted in the chain's uptime, is over; what is still held returns to the customer. Anyone may, free of charge.

use super::close_order::give_back;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Order, OrderState};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::OrderId;
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct ExpireOrder {
    #[n(0)]
    pub order: OrderId,
}

impl ExpireOrder {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Order::key(&self.order)]
    }

    pub(crate) fn apply(&self, context: &mut Context<'_>) -> Step<()> {
        let order: Loaded<Order> = context.load(&self.order)?.ok_or(Reject::OrderUnknown)?;
        ensure(order.state == OrderState::Open, Reject::OrderNotOpen)?;
        let uptime_ms = context.chain()?.uptime_ms;
        ensure(order.is_over(uptime_ms), Reject::OrderNotExpired)?;
        let returned = give_back(order, OrderState::Expired, context)?;
        context.emit(Event::OrderExpired {
            order: self.order,
            returned,
        });
        Ok(())
    }
}
