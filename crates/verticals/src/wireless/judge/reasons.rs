//! Every reason a hotspot's beacon, reception or report is not believed or not paid for, with its number, and the sentence
//! people read. Numbers are for ever.

use crate::kit::ReasonText;
use cairn_types::Reason;

pub const OUTSIDE_EPOCH: Reason = Reason(100);
pub const CLOCK: Reason = Reason(101);
pub const LATE: Reason = Reason(102);
pub const WRONG_REGION: Reason = Reason(103);
pub const WRONG_FREQUENCY: Reason = Reason(104);
pub const WRONG_RATE: Reason = Reason(105);
pub const TOO_LOUD: Reason = Reason(106);
pub const OFF_SCHEDULE: Reason = Reason(107);
pub const NOT_ASKED: Reason = Reason(108);
pub const UNHEARD: Reason = Reason(109);
pub const MOVED: Reason = Reason(110);
pub const DUPLICATE: Reason = Reason(111);
pub const REPLAYED: Reason = Reason(112);
pub const TOO_WEAK: Reason = Reason(113);
pub const TOO_STRONG: Reason = Reason(114);
pub const BEYOND_REACH: Reason = Reason(115);
pub const WRONG_PLACE: Reason = Reason(116);
pub const APART: Reason = Reason(117);
pub const COPIED: Reason = Reason(118);
pub const OWN_BEACON: Reason = Reason(119);
pub const SAME_OPERATOR: Reason = Reason(120);
pub const TOO_NEAR: Reason = Reason(121);
pub const UNSETTLED: Reason = Reason(122);
pub const BAD_BEACON: Reason = Reason(123);
pub const ONE_WAY: Reason = Reason(124);
pub const NOT_DRAWN: Reason = Reason(125);
pub const CROWDED: Reason = Reason(126);
pub const COUNTED: Reason = Reason(127);
pub const NO_COVERAGE: Reason = Reason(128);
pub const NO_SENDER: Reason = Reason(129);
pub const MISPLACED: Reason = Reason(130);
pub const NO_CHALLENGE: Reason = Reason(131);

/// What only a cheat does weighs double, what a broken or badly set hotspot does weighs once or half, and what is no fault
/// weighs nothing.
#[rustfmt::skip]
pub const REASONS: &[ReasonText] = &[
    ReasonText::new(OUTSIDE_EPOCH, "outside_epoch", "it is of another time than the epoch it is reported in", "ms", 100).mend("Let its clock follow a time server, and its reports go out within the epoch."),
    ReasonText::new(CLOCK, "clock", "the device's clock is off: what it dates was not heard then", "ms", 100).mend("Let its clock follow GPS or a time server, and restart the packet forwarder after that."),
    ReasonText::new(LATE, "late", "the frame came so late that the customer has no use for it", "ms", 0).mend("Look for a slower link than the customer needs: mobile data, a full outbox."),
    ReasonText::new(WRONG_REGION, "wrong_region", "the network does not run in the region the device says it is in", "", 100).mend("Set the region of the place where it stands in the agent and in the packet forwarder."),
    ReasonText::new(WRONG_FREQUENCY, "wrong_frequency", "the frequency is not one of the region, or not the one that was asked for", "Hz", 100).mend("Set the channel plan of its region in the packet forwarder."),
    ReasonText::new(WRONG_RATE, "wrong_rate", "the data rate is not one of the region, or not the one that was asked for", "", 100).mend("Set the data rates of its region in the packet forwarder."),
    ReasonText::new(TOO_LOUD, "too_loud", "the beacon was sent with more power than the region allows", "tenths of a dBm", 100).mend("Set the power, with the gain of the antenna and the loss of the cable, to what the region allows."),
    ReasonText::new(OFF_SCHEDULE, "off_schedule", "the beacon was not sent at the time it was asked for", "ms", 100).mend("Let its clock follow GPS or a time server, and give the packet forwarder the downlink at once."),
    ReasonText::new(NOT_ASKED, "not_asked", "the device sent more beacons than it was asked for", "beacons", 100).mend("Check that only one agent runs its radio."),
    ReasonText::new(UNHEARD, "unheard", "nobody who counts heard the beacon", "witnesses", 0).mend("A higher antenna, a better cable, or a place that others can hear."),
    ReasonText::new(MOVED, "moved", "the device says it stands elsewhere than where it is registered", "m", 200).mend("Say where it stands: `cairn device move`."),
    ReasonText::new(DUPLICATE, "duplicate", "the device reported this frame before; a frame is paid once", "receptions", 0).mend("Nothing is lost."),
    ReasonText::new(REPLAYED, "replayed", "the frame was heard long before: somebody sent or told it again", "ms", 200).mend("Check that no repeater or second forwarder stands behind its radio."),
    ReasonText::new(TOO_WEAK, "too_weak", "no receiver can read this data rate from so weak a signal", "tenths of a dB", 100).mend("Check the calibration of the radio, and that the packet forwarder passes strength and noise on unchanged."),
    ReasonText::new(TOO_STRONG, "too_strong", "the signal is stronger than it can be over this distance", "tenths of a dBm", 200).mend("Check that the place on the ledger is where it stands, and the gain that is set."),
    ReasonText::new(BEYOND_REACH, "beyond_reach", "the sender is behind the horizon of the device", "m", 200).mend("Check that the place and the height of the antenna on the ledger are those where it stands."),
    ReasonText::new(WRONG_PLACE, "wrong_place", "the measured distance to the sender is not the one between the places", "m", 200).mend("Check that the place on the ledger is where it stands: `cairn device move`."),
    ReasonText::new(MISPLACED, "misplaced", "measured distances to senders keep contradicting the place where the device is registered", "receptions", 200).mend("Check that the place on the ledger is where it stands: `cairn device move`."),
    ReasonText::new(APART, "apart", "others heard the same sender at the same time too far away from the device", "m", 200).mend("Check that the place on the ledger is where it stands, and its clock."),
    ReasonText::new(COPIED, "copied", "the device hears what another hears, as strong and as clear: both are one radio", "receptions", 200).mend("One radio is one device: what two agents tell of one radio is paid once."),
    ReasonText::new(OWN_BEACON, "own_beacon", "a device does not witness itself", "", 200).mend("Bring its agent up to date: it must not report what it sent itself."),
    ReasonText::new(SAME_OPERATOR, "same_operator", "devices of one operator do not witness each other", "", 0).mend("Witnesses of other operators count: a place that others can hear earns more."),
    ReasonText::new(TOO_NEAR, "too_near", "the witness stands too near to prove any coverage", "steps", 0).mend("Witnesses further away count: a place away from other hotspots earns more."),
    ReasonText::new(UNSETTLED, "unsettled", "sender and device contradict each other, and nobody else can tell who is right", "", 0),
    ReasonText::new(BAD_BEACON, "bad_beacon", "the beacon that was heard is itself not believed", "", 0),
    ReasonText::new(ONE_WAY, "one_way", "for a long time the device has only sent, or only heard", "epochs", 50).mend("Check both ways of the radio: antenna and cable, that it may send, and that its downlinks arrive."),
    ReasonText::new(NOT_DRAWN, "not_drawn", "more valid witnesses heard the beacon than count; the lot drew others", "witnesses", 0),
    ReasonText::new(CROWDED, "crowded", "so many devices cover this place that nothing is left of the share", "", 0).mend("A place with fewer devices pays more."),
    ReasonText::new(COUNTED, "counted", "the coverage of this epoch is paid with another report of the device", "", 0),
    ReasonText::new(NO_SENDER, "no_sender", "neither a beacon of this epoch nor a frame that names its sender", "", 0),
    ReasonText::new(NO_CHALLENGE, "no_challenge", "the epoch before was not judged, so nobody could know what was asked for in this one", "", 0),
    ReasonText::new(NO_COVERAGE, "no_coverage", "nothing in the report proves coverage; packets are paid by who ordered them", "", 0),
];
