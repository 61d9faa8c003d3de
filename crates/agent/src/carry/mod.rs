//! Packets carried for money: what a customer asks for, what a device offers of a frame before it shows it, and the vouchers that
//! pay. The device's side is here, and the forms both sides speak; the customer's side is the router. It moves no money and trusts
//! no customer further than the exposure that was stated.
//!
//! ```text
//! gateway ─▶ claims ─▶ carrier ─▶ a line to each router, for each radio
//!   frame heard ─▶ offer (hash, sender, signal) ═▶ router ═▶ bought at a price | refused with a reason
//!                 packet, signed by the device  ═▶        ═▶ voucher: so much all in all, device by device
//!   downlink ◀═════════════════════════════════════
//! ```

pub mod account;
pub mod carrier;
pub mod frames;
pub mod line;
pub mod market;
pub mod wire;
