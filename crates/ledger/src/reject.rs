//! Every refusal, in the order in which a transaction is checked, numbered for ever: a code for the machine, a sentence for the
//! person, a hint for the hand. A refused transaction changes nothing.

mod words;

use crate::economics::Error;
use words::{Row, TABLE};

/// Why a transaction is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Reject {
    // Form: no state is needed to see it.
    TooLong = 1,
    Malformed = 2,
    NotCanonical = 3,
    RuleInvalid = 4,
    SignaturesIncomplete = 5,
    SignatureWrong = 6,
    SponsorWitnessWrong = 7,
    AssertionsIncomplete = 8,
    AssertionWrong = 9,
    PasskeyNotAllowed = 10,
    // Who asks, and for what fee.
    WrongChain = 20,
    AccountUnknown = 21,
    AccountExists = 22,
    RuleNotCurrent = 23,
    NonceUsed = 24,
    SponsorUnknown = 25,
    SponsorRuleNotCurrent = 26,
    SponsorCannotPayThis = 27,
    FeeAboveMax = 28,
    FeeUnaffordable = 29,
    // Amounts and balances.
    AmountZero = 40,
    AmountTooLarge = 41,
    RecipientUnknown = 42,
    RecipientIsSender = 43,
    TokenInsufficient = 44,
    StableInsufficient = 45,
    CreditsInsufficient = 46,
    PriceHalted = 47,
    BurnLimitReached = 48,
    PotInsufficient = 49,
    PriceMoved = 50,
    // Stablecoin.
    NotAnIssuer = 60,
    IssuerUnknown = 61,
    IssuerLimitReached = 62,
    IssuerOwesLess = 63,
    ReferenceTooLong = 64,
    // Verifiers.
    NotAVerifier = 80,
    VerifiersFull = 81,
    VerifierKeyFixed = 82,
    BondTooSmall = 83,
    BondInsufficient = 84,
    AlreadyUnbonding = 85,
    PriceOutOfRange = 86,
    PricePosted = 87,
    EvidenceNotTwo = 88,
    EvidenceWrong = 89,
    UrlInvalid = 90,
    // Networks.
    NameInvalid = 100,
    VerticalInvalid = 101,
    ResolutionInvalid = 102,
    ParametersTooLong = 103,
    NetworkBondTooSmall = 104,
    NetworkExists = 105,
    NetworksFull = 106,
    NetworkUnknown = 107,
    NetworkClosing = 108,
    NotFounder = 109,
    NotTreasurer = 110,
    TreasuryInsufficient = 111,
    // Devices.
    DeviceSignatureWrong = 120,
    DeviceExists = 121,
    DeviceUnknown = 122,
    NotDeviceOwner = 123,
    DeviceRetired = 124,
    DeviceInNetwork = 125,
    DeviceNotInNetwork = 126,
    DeviceNetworksFull = 127,
    CellNotAtResolution = 128,
    CellUnchanged = 129,
    RosterFull = 130,
    EquivocationNotTwo = 131,
    EquivocationWrong = 132,
    EquivocationPunished = 133,
    DeviceBarred = 134,
    // Settling and paying.
    EpochOpen = 140,
    EpochNotNext = 141,
    BeaconPending = 142,
    SignersUnsorted = 143,
    SignerNotAVerifier = 144,
    AttestationSignatureWrong = 145,
    QuorumMissing = 146,
    TotalsAbovePool = 147,
    TotalsNotEmpty = 148,
    ExchangeNotPossible = 149,
    NotSettled = 150,
    PayoutsDone = 151,
    ChunkEmpty = 152,
    ChunkTooLong = 153,
    ChunkNotAtCursor = 154,
    ChunkProofWrong = 155,
    LeavesUnsorted = 156,
    OperatorUnknown = 157,
    WashPossible = 158,
    TotalsExceeded = 159,
    TotalsNotReached = 160,
    ChoicesWrong = 161,
    ExchangeDiffers = 162,
    // Anchoring.
    AnchorsUnsorted = 163,
    AnchorsTooMany = 164,
    NoPool = 165,
    AnchorExists = 166,
    AnchorsClosed = 167,
    AnchorsOpen = 168,
    AnchorsDiffer = 169,
    ReportsNotAnchored = 170,
    PreviousDiffers = 171,
    // Releasing.
    UnreleasedTooMany = 172,
    ReleaseTooEarly = 173,
    ReleaseOutOfOrder = 174,
    DisputeOpen = 175,
    // Broken receipts.
    ReceiptWrong = 176,
    OmissionPunished = 177,
    ReportNotMissing = 178,
    // Orders.
    ProviderIsCustomer = 180,
    ExpiryInvalid = 181,
    OrderUnknown = 182,
    OrderExists = 183,
    OrderNotOpen = 184,
    OrderExpired = 185,
    OrderNotExpired = 186,
    NotProvider = 187,
    NotParty = 188,
    VoucherSignatureWrong = 190,
    VoucherNotAbove = 191,
    VoucherAboveHeld = 192,
    // Disputes and validators.
    NoValidators = 200,
    DisputeExists = 201,
    DisputeTooLate = 202,
    ClaimIsSettled = 203,
    DisputeUnknown = 204,
    DisputeDecided = 205,
    NotAValidator = 206,
    ValidatorExists = 207,
    ValidatorsFull = 208,
    AddressInvalid = 209,
    ValidatorUnknown = 210,
    ValidatorsTooFew = 211,
    VoteGiven = 212,
    WithoutInvalid = 213,
    WithoutNotLess = 214,
    BlameWrong = 215,
    NotStalled = 216,
    // Upgrades.
    VersionNotNext = 220,
    UpgradeAnnounced = 221,
    UpgradeHeightWrong = 222,
    UpgradeNotAnnounced = 223,
}

/// A number not among the refusals.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} is no refusal's number")]
pub struct NotARejectCode(pub u16);

impl Reject {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The fact, one sentence.
    pub fn sentence(self) -> &'static str {
        self.row().1
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static Row {
        let at = TABLE
            .binary_search_by_key(&self, |row| row.0)
            .expect("a test finds every refusal in the table");
        &TABLE[at]
    }

    pub fn code(self) -> u16 {
        self as u16
    }
}

impl TryFrom<u16> for Reject {
    type Error = NotARejectCode;
    fn try_from(code: u16) -> Result<Self, NotARejectCode> {
        Self::all()
            .find(|reject| reject.code() == code)
            .ok_or(NotARejectCode(code))
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?} ({}): {}", self.code(), self.sentence())
    }
}

impl std::error::Error for Reject {}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        match error {
            Error::AmountZero => Self::AmountZero,
            Error::PriceZero | Error::PriceHalted => Self::PriceHalted,
            Error::CreditsInsufficient { .. } => Self::CreditsInsufficient,
            Error::BurnLimitReached { .. } => Self::BurnLimitReached,
            Error::WashPossible { .. } => Self::WashPossible,
            Error::AboveTotal { .. } => Self::TotalsExceeded,
            Error::BelowTotal { .. } => Self::TotalsNotReached,
            Error::ExchangeDiffers => Self::ExchangeDiffers,
            Error::Overflow
            | Error::WeightsZero
            | Error::LengthsDiffer { .. }
            | Error::ScheduleUnordered
            | Error::CapExceeded { .. }
            | Error::ParameterOutOfBounds { .. } => Self::AmountTooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_read_back() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0.code() < pair[1].0.code()));
        for reject in Reject::all() {
            assert_eq!(Reject::try_from(reject.code()), Ok(reject));
            assert!(
                reject.sentence().ends_with('.') && reject.hint().ends_with('.'),
                "{reject}"
            );
        }
        assert_eq!(Reject::try_from(0), Err(NotARejectCode(0)));
    }

    #[test]
    fn every_refusal_is_in_the_table() {
        let source = include_str!("reject.rs");
        let (_, from) = source.split_once("pub enum Reject {").expect("declared here");
        let (variants, _) = from.split_once("\n}").expect("ends");
        let declared: Vec<&str> = variants
            .lines()
            .filter_map(|line| line.trim().split_once(" = ").map(|v| v.0))
            .collect();
        let listed: Vec<String> = Reject::all().map(|reject| format!("{reject:?}")).collect();
        assert_eq!(declared, listed);
    }
}
