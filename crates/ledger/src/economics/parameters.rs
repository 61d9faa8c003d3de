//! The numbers genesis sets, each with its hard bounds. Never the cap on moves between two settings: that is governance's.
//!
//! Defaults are those of the economics notes §4. [`Parameters::check`] refuses a number out of its bounds and any set under which
//! paying yourself could gain: the operators' cash, the token top-up and the no-wash margin must fit into one paid dollar.

use cairn_types::money::{BasisPoints, Token};
use minicbor::{CborLen, Decode, Encode};

use super::{Error, Scale, units::DECIMALS_MAX};

/// A multiplier of 1.0, in basis points; up to [`MULTIPLIER_MAX_BPS`] may be granted.
pub const MULTIPLIER_ONE_BPS: u32 = 10_000;
/// A multiplier of 5.0, in basis points.
pub const MULTIPLIER_MAX_BPS: u32 = 50_000;
/// The no-wash margin can be raised by genesis, never lowered under 5 %.
pub const NO_WASH_BPS_MIN: u16 = 500;
/// More token base units than this can never exist.
pub const TOKEN_CAP_MAX: u64 = (1 << 62) - 1;

/// Set at genesis. A part of something is in basis points; a name ends in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Parameters {
    /// Decimals of the token: a whole token is `10^decimals` base units.
    #[n(0)]
    pub decimals: u8,
    /// No more than this ever exists.
    #[n(1)]
    pub cap: Token,
    /// Exists from block 1.
    #[n(2)]
    pub premine: Token,

    /// How far one accepted round may move the price.
    #[n(3)]
    pub price_move_bps: BasisPoints,
    /// Disagreement of the posts beyond which a round counts as wide.
    #[n(4)]
    pub price_spread_bps: BasisPoints,
    /// Rounds without acceptance after which the price is stale.
    #[n(5)]
    pub price_stale_rounds: u64,

    /// Tokens that may be burned for credits within the window, as a part of the supply.
    #[n(6)]
    pub burn_limit_bps: BasisPoints,
    /// The window over which earlier burns fade from the limit, linearly.
    #[n(7)]
    pub burn_window_ms: u64,
    /// Kept from a refund of stable-backed credits.
    #[n(8)]
    pub refund_fee_bps: BasisPoints,

    /// The five parts of stable revenue; they sum to the whole.
    #[n(9)]
    pub operators_bps: BasisPoints,
    #[n(10)]
    pub verifiers_bps: BasisPoints,
    #[n(11)]
    pub cover_bps: BasisPoints,
    #[n(12)]
    pub buy_back_bps: BasisPoints,
    #[n(13)]
    pub treasury_bps: BasisPoints,

    /// κ: tokens on top of usage revenue, as a part of that revenue.
    #[n(14)]
    pub usage_token_bps: BasisPoints,
    /// φ: what never comes back of a dollar paid for service.
    #[n(15)]
    pub no_wash_bps: BasisPoints,

    /// The part of a network's budget paid for availability in the network's first epoch.
    #[n(16)]
    pub availability_bps: BasisPoints,
    /// Epochs over which that part falls to zero, linearly.
    #[n(17)]
    pub availability_sunset_epochs: u64,
    /// The part of both token pools that goes to those who delegated to the network.
    #[n(18)]
    pub delegators_bps: BasisPoints,

    /// Re-emission of burned tokens in one epoch, at most.
    #[n(19)]
    pub remint_cap: Token,
    /// The reserve's cap, as a part of the supply.
    #[n(20)]
    pub reserve_cap_bps: BasisPoints,
    /// The reserve pays at most one part in so many in an epoch.
    #[n(21)]
    pub reserve_draw_parts: u64,
    /// Usage income per dollar of revenue below which the reserve tops up.
    #[n(22)]
    pub floor_bps: BasisPoints,

    /// The three measures of a network's share of the emission; they sum to the whole.
    #[n(23)]
    pub share_usage_bps: BasisPoints,
    #[n(24)]
    pub share_contribution_bps: BasisPoints,
    #[n(25)]
    pub share_votes_bps: BasisPoints,
    /// Epochs over which a share follows its measures.
    #[n(26)]
    pub share_smoothing_epochs: u64,
    /// How far one epoch may move a share.
    #[n(27)]
    pub share_move_bps: BasisPoints,
}

/// One number with its bounds, both inclusive.
struct Bound(&'static str, u64, u64, u64);

impl Parameters {
    /// The notes' defaults for epochs of a day, for a token of these decimals, cap and premine.
    pub fn daily(decimals: u8, cap: Token, premine: Token) -> Self {
        Self::with_epochs_per_day(1, decimals, cap, premine)
    }

    /// The notes' defaults for shorter epochs (at least one a day): what is meant per day is cut, what lasts for days is stretched.
    pub fn with_epochs_per_day(epochs_per_day: u32, decimals: u8, cap: Token, premine: Token) -> Self {
        let epochs = u64::from(epochs_per_day.max(1));
        let share_move = u16::try_from(200 / epochs.min(200)).expect("at most 200");
        Self {
            decimals,
            cap,
            premine,
            price_move_bps: bps(2_000),
            price_spread_bps: bps(300),
            price_stale_rounds: 3,
            burn_limit_bps: bps(100),
            burn_window_ms: 24 * 60 * 60 * 1_000,
            refund_fee_bps: bps(100),
            operators_bps: bps(7_000),
            verifiers_bps: bps(500),
            cover_bps: bps(500),
            buy_back_bps: bps(1_000),
            treasury_bps: bps(1_000),
            usage_token_bps: bps(2_500),
            no_wash_bps: bps(NO_WASH_BPS_MIN),
            availability_bps: bps(6_000),
            availability_sunset_epochs: 156 * 7 * epochs,
            delegators_bps: bps(600),
            remint_cap: Token(cap.0 / 50_000 / epochs),
            reserve_cap_bps: bps(2_000),
            reserve_draw_parts: 52 * epochs,
            floor_bps: bps(8_000),
            share_usage_bps: bps(5_000),
            share_contribution_bps: bps(2_000),
            share_votes_bps: bps(3_000),
            share_smoothing_epochs: 30 * epochs,
            share_move_bps: bps(share_move),
        }
    }

    /// `K` for this token.
    pub fn scale(&self) -> Result<Scale, Error> {
        Scale::of_decimals(self.decimals)
    }

    /// Refuses a number out of its bounds, then sums that are not whole, then sets under which washing could pay.
    pub fn check(&self) -> Result<(), Error> {
        self.bounds()
            .into_iter()
            .chain(self.sums())
            .try_for_each(|Bound(name, value, min, max)| {
                if (min..=max).contains(&value) {
                    Ok(())
                } else {
                    Err(Error::ParameterOutOfBounds { name, value, min, max })
                }
            })
    }

    fn bounds(&self) -> [Bound; 28] {
        let bps = |name, value: BasisPoints, min, max| Bound(name, value.get().into(), min, max);
        [
            Bound("decimals", self.decimals.into(), 0, DECIMALS_MAX.into()),
            Bound("cap", self.cap.0, 1, TOKEN_CAP_MAX),
            Bound("premine", self.premine.0, 0, self.cap.0),
            bps("price_move_bps", self.price_move_bps, 100, 5_000),
            bps("price_spread_bps", self.price_spread_bps, 50, 2_000),
            Bound("price_stale_rounds", self.price_stale_rounds, 1, 48),
            bps("burn_limit_bps", self.burn_limit_bps, 1, 2_000),
            Bound("burn_window_ms", self.burn_window_ms, 60_000, 30 * 24 * 60 * 60 * 1_000),
            bps("refund_fee_bps", self.refund_fee_bps, 0, 100),
            bps("operators_bps", self.operators_bps, 3_000, 9_500),
            bps("verifiers_bps", self.verifiers_bps, 0, 2_000),
            bps("cover_bps", self.cover_bps, 0, 2_000),
            bps("buy_back_bps", self.buy_back_bps, 0, 5_000),
            bps("treasury_bps", self.treasury_bps, 0, 3_000),
            bps("usage_token_bps", self.usage_token_bps, 0, 5_000),
            bps("no_wash_bps", self.no_wash_bps, NO_WASH_BPS_MIN.into(), 5_000),
            bps("availability_bps", self.availability_bps, 0, 10_000),
            Bound(
                "availability_sunset_epochs",
                self.availability_sunset_epochs,
                1,
                100_000_000,
            ),
            bps("delegators_bps", self.delegators_bps, 0, 2_000),
            Bound("remint_cap", self.remint_cap.0, 0, self.cap.0 / 100),
            bps("reserve_cap_bps", self.reserve_cap_bps, 0, 3_000),
            Bound("reserve_draw_parts", self.reserve_draw_parts, 4, 1_000_000),
            bps("floor_bps", self.floor_bps, 0, 10_000),
            bps("share_usage_bps", self.share_usage_bps, 0, 10_000),
            bps("share_contribution_bps", self.share_contribution_bps, 0, 10_000),
            bps("share_votes_bps", self.share_votes_bps, 0, 10_000),
            Bound("share_smoothing_epochs", self.share_smoothing_epochs, 1, 100_000),
            bps("share_move_bps", self.share_move_bps, 1, 10_000),
        ]
    }

    fn sums(&self) -> [Bound; 4] {
        let sum = |parts: &[BasisPoints]| parts.iter().map(|part| u64::from(part.get())).sum::<u64>();
        let returned = u64::from(self.no_wash_bps.rest().get());
        let split = [
            self.operators_bps,
            self.verifiers_bps,
            self.cover_bps,
            self.buy_back_bps,
            self.treasury_bps,
        ];
        let shares = [self.share_usage_bps, self.share_contribution_bps, self.share_votes_bps];
        [
            Bound("the split of stable revenue", sum(&split), 10_000, 10_000),
            Bound("the measures of a network's share", sum(&shares), 10_000, 10_000),
            Bound(
                "operators_bps + usage_token_bps",
                sum(&[self.operators_bps, self.usage_token_bps]),
                0,
                returned,
            ),
            Bound("floor_bps", self.floor_bps.get().into(), 0, returned),
        ]
    }
}

fn bps(value: u16) -> BasisPoints {
    BasisPoints::new(value).expect("the defaults are parts of a whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Parameters), refused: Option<&str>) {
        let mut parameters = Parameters::daily(6, Token(1_000_000_000_000_000), Token(200_000_000_000_000));
        change(&mut parameters);
        let name = match parameters.check() {
            Ok(()) => None,
            Err(Error::ParameterOutOfBounds { name, .. }) => Some(name),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(name, refused);
    }

    #[test]
    fn the_defaults_hold_and_each_kind_of_wrong_number_is_named() {
        check(|_| {}, None);
        check(|p| p.decimals = 10, Some("decimals"));
        check(|p| p.cap = Token(1 << 62), Some("cap"));
        check(|p| p.premine = Token(p.cap.0 + 1), Some("premine"));
        check(|p| p.no_wash_bps = bps(499), Some("no_wash_bps"));
        check(|p| p.refund_fee_bps = bps(101), Some("refund_fee_bps"));
        check(|p| p.treasury_bps = bps(999), Some("the split of stable revenue"));
        check(
            |p| p.share_votes_bps = bps(3_001),
            Some("the measures of a network's share"),
        );
        check(
            |p| p.usage_token_bps = bps(2_501),
            Some("operators_bps + usage_token_bps"),
        );
        check(|p| p.no_wash_bps = bps(501), Some("operators_bps + usage_token_bps"));
        check(|p| p.floor_bps = bps(9_501), Some("floor_bps"));
    }

    #[test]
    fn shorter_epochs_keep_the_defaults_within_bounds() {
        for epochs_per_day in [0, 1, 24, 1_440] {
            let parameters = Parameters::with_epochs_per_day(epochs_per_day, 6, Token(1 << 60), Token(0));
            assert_eq!(parameters.check(), Ok(()), "{epochs_per_day} a day");
        }
    }

    #[test]
    fn the_parameters_fit_one_record_at_their_largest() {
        let mut parameters = Parameters::daily(9, Token(TOKEN_CAP_MAX), Token(TOKEN_CAP_MAX));
        parameters.price_stale_rounds = u64::MAX;
        parameters.burn_window_ms = u64::MAX;
        parameters.availability_sunset_epochs = u64::MAX;
        parameters.remint_cap = Token(u64::MAX);
        parameters.reserve_draw_parts = u64::MAX;
        parameters.share_smoothing_epochs = u64::MAX;
        let bytes = minicbor::to_vec(parameters).expect("writing to memory");
        assert!(bytes.len() <= 254, "{}", bytes.len());
        assert_eq!(minicbor::decode::<Parameters>(&bytes).expect("reads back"), parameters);
    }
}
