//! What the verticals share: the questions each must answer, the loop that judges an epoch, the kinds of evidence, the
//! shapes of orders, and one suite of tests they all pass. It never knows which vertical it serves.

pub mod assess;
pub mod cast;
pub mod challenge;
#[cfg(test)]
mod conformance;
pub mod counterparty;
pub mod crowding;
pub mod decimal;
pub mod density;
pub mod json;
pub mod memory;
pub mod neighbours;
pub mod place;
pub mod query;
pub mod range;
pub mod reasons;
pub mod reputation;
pub mod roster;
pub mod survey;
pub mod vertical;
pub mod witness;

pub use assess::{AssessError, Assessment, assess};
pub use cast::{Cast, CastDevice, CastReport, Role};
pub use query::{Bill, Offer};
pub use reasons::ReasonText;
pub use reputation::{Rules, Standing};
pub use roster::Roster;
pub use survey::{Reading, Survey, Surveyed};
pub use vertical::{
    Admitted, BodyError, Draw, Driver, DriverError, Epoch, Judgement, Member, MemoryError, Pack, ParamsError,
    QuantityText, Shape, Vertical,
};
