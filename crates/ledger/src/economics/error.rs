//! Why a rule of the economics refuses. Facts only: the ledger maps each to a refusal of its own, with number and sentence.

/// A refusal by a pure rule. Nothing has changed when one is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the amount leaves 64 bits")]
    Overflow,
    #[error("the price is zero")]
    PriceZero,
    #[error("the price is halted or was never posted")]
    PriceHalted,
    #[error("the amount is zero")]
    AmountZero,
    #[error("the balance holds {held} credits of the kind asked for, {asked} are asked")]
    CreditsInsufficient { held: u64, asked: u64 },
    #[error("burning would reach {reached} tokens in the window, {limit} are allowed")]
    BurnLimitReached { reached: u64, limit: u64 },
    #[error("nobody has weight, so nothing can be divided")]
    WeightsZero,
    #[error("lists that belong together differ in length: {left} and {right}")]
    LengthsDiffer { left: u64, right: u64 },
    #[error("the leaf is worth {value_micro_usd} micro-USD, its customers' payments allow {limit_micro_usd}")]
    WashPossible { value_micro_usd: u64, limit_micro_usd: u64 },
    #[error("the sum reaches {reached}, its total is {total}")]
    AboveTotal { reached: u64, total: u64 },
    #[error("the sum ends at {reached}, its total is {total}")]
    BelowTotal { reached: u64, total: u64 },
    #[error("the leaf's exchange differs from the one its offer gives")]
    ExchangeDiffers,
    #[error("the schedule is not strictly ordered, has too many steps, or does not end with zero")]
    ScheduleUnordered,
    #[error("premine and schedule make {total} tokens, the cap is {cap}")]
    CapExceeded { total: u64, cap: u64 },
    #[error("{name} is {value}, it must lie in {min}..={max}")]
    ParameterOutOfBounds {
        name: &'static str,
        value: u64,
        min: u64,
        max: u64,
    },
}
