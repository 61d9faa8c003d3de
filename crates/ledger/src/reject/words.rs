//! What each refusal says to a person: the fact in one sentence, and what to do about it.

use super::Reject;

/// A refusal, the fact in one sentence, and what to do about it.
pub(super) type Row = (Reject, &'static str, &'static str);

/// What each says to a person, in order.
pub(super) const TABLE: &[Row] = &[
    // Form: no state is needed to see it.
    (
        Reject::TooLong,
        "The transaction has more than 65,536 bytes.",
        "Do it in several transactions: fewer leaves, anchors or signatures in each.",
    ),
    (
        Reject::Malformed,
        "The bytes are not a transaction.",
        "Build it with a library of the same version.",
    ),
    (
        Reject::NotCanonical,
        "The bytes are not in their deterministic form.",
        "Encode with shortest integers and definite lengths.",
    ),
    (
        Reject::RuleInvalid,
        "The rule needs 1 to 7 sorted, different keys and a threshold among them.",
        "Sort the keys and check the threshold.",
    ),
    (
        Reject::SignaturesIncomplete,
        "The signatures are not exactly as many as the rule asks, by rising index.",
        "Sign with as many keys as the threshold.",
    ),
    (
        Reject::SignatureWrong,
        "A signature does not hold.",
        "Sign the hash of this very transaction with the right key.",
    ),
    (
        Reject::SponsorWitnessWrong,
        "A sponsoring account must sign, and nobody else may in its place.",
        "Add the sponsor's signature, or name no sponsor.",
    ),
    (
        Reject::AssertionsIncomplete,
        "Each signature by a passkey needs its assertion, by rising index and in its bounds, and nothing else has one.",
        "Add what the passkey signed: 37 to 256 bytes of authenticator data, at most 1,024 of client data.",
    ),
    (
        Reject::AssertionWrong,
        "What the passkey signed is not an assertion over this transaction by a person it made sure of.",
        "Ask it with the transaction's id as the challenge and user verification required; update a browser of before 2025.",
    ),
    (
        Reject::PasskeyNotAllowed,
        "A passkey signs for accounts only: no device, verifier or voucher can have it as its key.",
        "Give a key that is written ed25519:HEX or p256:HEX.",
    ),
    // Who asks, and for what fee.
    (
        Reject::WrongChain,
        "The transaction is for another chain.",
        "Use the chain id of this one.",
    ),
    (Reject::AccountUnknown, "The account does not exist.", "Open it first."),
    (
        Reject::AccountExists,
        "The account exists already.",
        "Use it, or open another with other keys.",
    ),
    (
        Reject::RuleNotCurrent,
        "The rule shown is not the account's rule in force.",
        "Show the rule that was last set.",
    ),
    (
        Reject::NonceUsed,
        "The nonce is not above the account's last one.",
        "Use the next higher nonce.",
    ),
    (
        Reject::SponsorUnknown,
        "The sponsor does not exist.",
        "Name an account or a network that does.",
    ),
    (
        Reject::SponsorRuleNotCurrent,
        "The rule shown for the sponsor is not its rule in force.",
        "Ask the sponsor to sign with its present keys.",
    ),
    (
        Reject::SponsorCannotPayThis,
        "A network pays only for opening accounts and for its own devices.",
        "Pay yourself, or name an account as sponsor.",
    ),
    (
        Reject::FeeAboveMax,
        "The fee is above what the transaction allows.",
        "Raise fee_max.",
    ),
    (
        Reject::FeeUnaffordable,
        "Who pays the fee has too little token.",
        "Add token, or find a sponsor.",
    ),
    // Amounts and balances.
    (Reject::AmountZero, "The amount is zero.", "Ask for something."),
    (Reject::AmountTooLarge, "The amount cannot be counted.", "Ask for less."),
    (
        Reject::RecipientUnknown,
        "The account that should receive does not exist.",
        "Let it be opened first.",
    ),
    (
        Reject::RecipientIsSender,
        "The account would pay itself.",
        "Name another account.",
    ),
    (
        Reject::TokenInsufficient,
        "The account has too little token.",
        "Add token.",
    ),
    (
        Reject::StableInsufficient,
        "The account has too little stablecoin.",
        "Add stablecoin.",
    ),
    (
        Reject::CreditsInsufficient,
        "The account has too few credits of the kind asked for.",
        "Buy credits.",
    ),
    (
        Reject::PriceHalted,
        "There is no usable price: never posted, stale, or in dispute.",
        "Pay in stablecoin, or wait for a round.",
    ),
    (
        Reject::BurnLimitReached,
        "Burning would pass the limit of the window.",
        "Burn less, or later, or pay in stablecoin.",
    ),
    (
        Reject::PotInsufficient,
        "The pot holds too little for this.",
        "Ask for less, or later.",
    ),
    (
        Reject::PriceMoved,
        "The price gives less than the least asked for.",
        "Ask again at the present price.",
    ),
    // Stablecoin.
    (
        Reject::NotAnIssuer,
        "The account is no issuer named in genesis.",
        "Only issuers issue.",
    ),
    (
        Reject::IssuerUnknown,
        "There is no such issuer.",
        "Name one of genesis.",
    ),
    (
        Reject::IssuerLimitReached,
        "The issuer would owe more than its limit.",
        "Issue less, or redeem first.",
    ),
    (
        Reject::IssuerOwesLess,
        "The issuer owes less than that.",
        "Redeem at another issuer.",
    ),
    (
        Reject::ReferenceTooLong,
        "The reference has more than 64 bytes.",
        "Shorten it.",
    ),
    // Verifiers.
    (
        Reject::NotAVerifier,
        "The account is no verifier with a bond.",
        "Bond first.",
    ),
    (
        Reject::VerifiersFull,
        "There are as many verifiers as there may be.",
        "Wait for one to leave.",
    ),
    (
        Reject::VerifierKeyFixed,
        "A verifier's key cannot change while it is bonded.",
        "Unbond entirely first.",
    ),
    (
        Reject::BondTooSmall,
        "What remains bonded would be less than the least bond.",
        "Bond more, or unbond all.",
    ),
    (Reject::BondInsufficient, "Less than that is bonded.", "Unbond less."),
    (
        Reject::AlreadyUnbonding,
        "A part is on its way back already.",
        "Wait until it arrived.",
    ),
    (
        Reject::PriceOutOfRange,
        "A price must lie between 0.000001 and 10,000,000 dollars.",
        "Post dollars per whole token, times 10^8.",
    ),
    (
        Reject::PricePosted,
        "A price was posted for this round already.",
        "Wait for the next round.",
    ),
    (
        Reject::EvidenceNotTwo,
        "Two different results of one network's epoch on this chain are needed.",
        "Show what the verifier signed twice.",
    ),
    (
        Reject::EvidenceWrong,
        "The verifier did not sign both results.",
        "Show its own signatures.",
    ),
    (
        Reject::UrlInvalid,
        "An address begins with http:// or https:// and has at most 128 printable characters.",
        "Shorten it, or leave it empty to take it back.",
    ),
    // Networks.
    (
        Reject::NameInvalid,
        "A name has 1 to 32 of a-z, 0-9 and -.",
        "Choose another name.",
    ),
    (
        Reject::VerticalInvalid,
        "A vertical's name has 1 to 16 of a-z and 0-9.",
        "Use the vertical's name.",
    ),
    (
        Reject::ResolutionInvalid,
        "A network's resolution is 0 to 10: finer cells are homes.",
        "Choose a coarser resolution.",
    ),
    (
        Reject::ParametersTooLong,
        "Parameters have more than 1,024 bytes.",
        "Shorten them.",
    ),
    (
        Reject::NetworkBondTooSmall,
        "The bond is below the least bond of a network.",
        "Bond more.",
    ),
    (
        Reject::NetworkExists,
        "The founder has a network of this name.",
        "Choose another name.",
    ),
    (
        Reject::NetworksFull,
        "There are as many networks as there may be.",
        "Wait for one to close.",
    ),
    (Reject::NetworkUnknown, "There is no such network.", "Check the id."),
    (
        Reject::NetworkClosing,
        "The network is closed or about to close.",
        "Use another network.",
    ),
    (
        Reject::NotFounder,
        "Only the founder may do this.",
        "Sign with the founder's account.",
    ),
    (
        Reject::NotTreasurer,
        "Only the treasury's account may draw on it.",
        "Sign with the treasury's account.",
    ),
    (
        Reject::TreasuryInsufficient,
        "The treasury holds too little.",
        "Ask for less.",
    ),
    // Devices.
    (
        Reject::DeviceSignatureWrong,
        "The device's own signature over chain, owner and key does not hold.",
        "Let the device sign for this owner.",
    ),
    (
        Reject::DeviceExists,
        "The device is registered already.",
        "A key registers once, for ever.",
    ),
    (Reject::DeviceUnknown, "There is no such device.", "Register it first."),
    (
        Reject::NotDeviceOwner,
        "Only the device's owner may do this.",
        "Sign with the owner's account.",
    ),
    (
        Reject::DeviceRetired,
        "The device is retired, for ever.",
        "Register another one.",
    ),
    (
        Reject::DeviceInNetwork,
        "The device is a member already.",
        "Move it instead.",
    ),
    (
        Reject::DeviceNotInNetwork,
        "The device is no member of the network.",
        "Join first.",
    ),
    (
        Reject::DeviceNetworksFull,
        "The device serves eight networks already.",
        "Leave one first.",
    ),
    (
        Reject::CellNotAtResolution,
        "The cell is not of the network's resolution.",
        "Use the parent cell at that resolution.",
    ),
    (
        Reject::CellUnchanged,
        "The device stands in that cell already.",
        "Nothing to do.",
    ),
    (
        Reject::RosterFull,
        "The network's roster is full.",
        "Use another network.",
    ),
    (
        Reject::EquivocationNotTwo,
        "Two different reports of one device under one sequence number of one network are needed.",
        "Show what the device signed twice.",
    ),
    (
        Reject::EquivocationWrong,
        "The device did not sign both reports.",
        "Show its own signatures.",
    ),
    (
        Reject::EquivocationPunished,
        "The device was barred for this sequence number already.",
        "Nothing to do.",
    ),
    (
        Reject::DeviceBarred,
        "The device is barred already.",
        "Show it again when the bar is over.",
    ),
    // Settling and paying.
    (Reject::EpochOpen, "The epoch is not closed.", "Wait for its end."),
    (
        Reject::EpochNotNext,
        "Epochs of a network are settled in order, each once.",
        "Settle the oldest unsettled epoch.",
    ),
    (
        Reject::BeaconPending,
        "The epoch's beacon is not known yet.",
        "Wait a block or two.",
    ),
    (
        Reject::SignersUnsorted,
        "Signers must be sorted by account, each once.",
        "Sort them.",
    ),
    (
        Reject::SignerNotAVerifier,
        "A signer has no bond that counts.",
        "Leave it out.",
    ),
    (
        Reject::AttestationSignatureWrong,
        "A verifier's signature does not hold.",
        "Collect the signatures again.",
    ),
    (
        Reject::QuorumMissing,
        "The signers hold no more than two thirds of the bond.",
        "Collect more signatures.",
    ),
    (
        Reject::TotalsAbovePool,
        "The attested totals are above the pool that closing fixed.",
        "Divide the pool of this epoch.",
    ),
    (
        Reject::TotalsNotEmpty,
        "An epoch without leaves cannot have totals.",
        "Attest zeros.",
    ),
    (
        Reject::ExchangeNotPossible,
        "Operators cannot exchange: there was no price, or there are no leaves.",
        "Attest no exchange.",
    ),
    (Reject::NotSettled, "The epoch is not settled.", "Settle it first."),
    (
        Reject::PayoutsDone,
        "Every leaf of the epoch is paid.",
        "Nothing to do.",
    ),
    (Reject::ChunkEmpty, "The chunk has no leaf.", "Send some."),
    (
        Reject::ChunkTooLong,
        "The chunk has more leaves than one may have.",
        "Cut it.",
    ),
    (
        Reject::ChunkNotAtCursor,
        "The chunk does not start at the next unpaid leaf.",
        "Start at the cursor.",
    ),
    (
        Reject::ChunkProofWrong,
        "The leaves are not in the attested tree at that place.",
        "Rebuild the proof from the attested leaves.",
    ),
    (
        Reject::LeavesUnsorted,
        "Leaves must be sorted by operator, each once.",
        "What was attested is wrong itself: keep it as evidence.",
    ),
    (
        Reject::OperatorUnknown,
        "A leaf pays an operator that does not exist.",
        "What was attested is wrong itself: keep it as evidence.",
    ),
    (
        Reject::WashPossible,
        "A leaf returns more of what customers paid than the no-wash rule allows.",
        "What was attested is wrong itself: keep it as evidence.",
    ),
    (
        Reject::TotalsExceeded,
        "The leaves sum to more than was attested.",
        "What was attested is wrong itself: keep it as evidence.",
    ),
    (
        Reject::TotalsNotReached,
        "The last leaf does not reach what was attested.",
        "What was attested is wrong itself: keep it as evidence.",
    ),
    (
        Reject::ChoicesWrong,
        "The choices are not those attested, or not one for each leaf.",
        "Send the attested choices with their proof, if there was an exchange.",
    ),
    (
        Reject::ExchangeDiffers,
        "The offers do not come to what was attested.",
        "What was attested is wrong itself: keep it as evidence.",
    ),
    // Anchoring.
    (
        Reject::AnchorsUnsorted,
        "Anchors must be sorted by network, each once, at least one.",
        "Sort them.",
    ),
    (
        Reject::AnchorsTooMany,
        "There are more anchors than one transaction may have.",
        "Send them in several.",
    ),
    (
        Reject::NoPool,
        "The network takes no part in this epoch.",
        "Leave it out.",
    ),
    (
        Reject::AnchorExists,
        "The verifier has anchored this epoch of the network already.",
        "Nothing to do: an anchor never changes.",
    ),
    (
        Reject::AnchorsClosed,
        "Anchoring this epoch has ended.",
        "Anchor sooner after an epoch is closed.",
    ),
    (
        Reject::AnchorsOpen,
        "Verifiers are still anchoring this epoch.",
        "Wait for the last of them, or for the end of the window.",
    ),
    (
        Reject::AnchorsDiffer,
        "The result judges other anchors than those of the ledger.",
        "Judge the reports of all anchors.",
    ),
    (
        Reject::ReportsNotAnchored,
        "The result judges reports, and none were anchored.",
        "Attest the root of no reports.",
    ),
    (
        Reject::PreviousDiffers,
        "The result does not build on the one in force for the epoch before.",
        "Judge with what the epoch before left to remember.",
    ),
    // Releasing.
    (
        Reject::UnreleasedTooMany,
        "Too many settled epochs of the network wait for their release.",
        "Pay the oldest, or wait until its dispute is decided.",
    ),
    (
        Reject::ReleaseTooEarly,
        "The result may still be disputed.",
        "Wait for the end of the window.",
    ),
    (
        Reject::ReleaseOutOfOrder,
        "An earlier epoch of the network waits for its release.",
        "Pay that one first.",
    ),
    (
        Reject::DisputeOpen,
        "The result is disputed.",
        "Wait until the validators have decided.",
    ),
    // Broken receipts.
    (
        Reject::ReceiptWrong,
        "The receipt is not signed by the verifier it names.",
        "Show the receipt as the verifier gave it.",
    ),
    (
        Reject::OmissionPunished,
        "The verifier was held to account for this epoch of the network already.",
        "Nothing to do.",
    ),
    (
        Reject::ReportNotMissing,
        "The evidence does not show that the report is missing.",
        "Prove its absence under the verifier's own anchor, or under the archive that was finally judged.",
    ),
    // Orders.
    (
        Reject::ProviderIsCustomer,
        "The customer would serve itself.",
        "Name another provider.",
    ),
    (
        Reject::ExpiryInvalid,
        "An order expires after now and within the longest time.",
        "Choose another time.",
    ),
    (Reject::OrderUnknown, "There is no such order.", "Check the id."),
    (Reject::OrderExists, "The order exists already.", "Use another nonce."),
    (
        Reject::OrderNotOpen,
        "The order is closed or expired.",
        "Open another one.",
    ),
    (Reject::OrderExpired, "The order's time is over.", "Open another one."),
    (
        Reject::OrderNotExpired,
        "The order's time is not over.",
        "Close it, or wait.",
    ),
    (
        Reject::NotProvider,
        "Only the order's provider may do this.",
        "Sign with the provider's account.",
    ),
    (
        Reject::NotParty,
        "Only the order's provider may close it before its time.",
        "Let the provider close it, or wait for its time.",
    ),
    (
        Reject::VoucherSignatureWrong,
        "The voucher is not signed by the order's voucher key.",
        "Ask the customer for a signed voucher.",
    ),
    (
        Reject::VoucherNotAbove,
        "The voucher is not above what was settled.",
        "Send a later voucher.",
    ),
    (
        Reject::VoucherAboveHeld,
        "The voucher is above what the order holds.",
        "Settle up to what is held.",
    ),
    // Disputes and validators.
    (
        Reject::NoValidators,
        "The ledger of this chain knows no validators who could decide.",
        "Ask those who run the chain to put its validators on the ledger.",
    ),
    (
        Reject::DisputeExists,
        "The epoch of the network is disputed, or the dispute is decided.",
        "Nothing to do: an epoch is disputed once.",
    ),
    (
        Reject::DisputeTooLate,
        "The window for disputes is over.",
        "Dispute sooner after an epoch is settled.",
    ),
    (
        Reject::ClaimIsSettled,
        "The claim is what was settled.",
        "Claim what the epoch comes to by your own judgement.",
    ),
    (
        Reject::DisputeUnknown,
        "The epoch of the network is not disputed.",
        "Open a dispute first.",
    ),
    (Reject::DisputeDecided, "The dispute is decided.", "Nothing to do."),
    (
        Reject::NotAValidator,
        "The account is no validator's.",
        "Only validators vote.",
    ),
    (
        Reject::ValidatorExists,
        "The key or the account is a validator's already.",
        "Remove that one first.",
    ),
    (
        Reject::ValidatorsFull,
        "There are as many validators as there may be.",
        "Remove one first.",
    ),
    (
        Reject::AddressInvalid,
        "An address is host:port, with at most 96 printable characters.",
        "Say where peers reach the validator.",
    ),
    (Reject::ValidatorUnknown, "No validator has this key.", "Check the key."),
    (
        Reject::ValidatorsTooFew,
        "The last validator cannot be removed.",
        "Add another one first.",
    ),
    (
        Reject::VoteGiven,
        "The validator has voted so already.",
        "Nothing to do; a vote may be changed until it is decided.",
    ),
    (
        Reject::WithoutInvalid,
        "What the result leaves out is no rising list of places in the epoch's book of anchors.",
        "Name each anchor that is left out once, in order of arrival, and none that is not there.",
    ),
    (
        Reject::WithoutNotLess,
        "The result leaves out an anchor that the settled one judged.",
        "Judge all that the settled result judged, or more.",
    ),
    (
        Reject::BlameWrong,
        "Those who signed are to blame exactly for a result that is wrong by what it says it leaves out.",
        "Judge the epoch by what the settled result leaves out first, and blame who signed if that comes to another result.",
    ),
    (
        Reject::NotStalled,
        "Verifiers have time left to settle the epoch.",
        "Wait; if they do not settle it in time, ask the validators then.",
    ),
    // Upgrades.
    (
        Reject::VersionNotNext,
        "The version is not the one after the version in force.",
        "Vote for the next version: `cairn validator upgrade show` says which it is.",
    ),
    (
        Reject::UpgradeAnnounced,
        "The version is announced already.",
        "Let the validators withdraw it first, if it shall come at another height.",
    ),
    (
        Reject::UpgradeHeightWrong,
        "The height is too near, past, or too far ahead.",
        "Choose one that leaves everybody days to install the version.",
    ),
    (
        Reject::UpgradeNotAnnounced,
        "No version is announced that could be withdrawn.",
        "Nothing to do.",
    ),
];
