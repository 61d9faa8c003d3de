//! What devices report and how it is believed: one folder per kind of network, and the kit they share.
//!
//! Nothing here does I/O, reads a clock, draws randomness that is not a seed given in, or computes in floats: whoever has
//! the same bytes gets the same findings. Verticals do not know each other; a new one is a folder and a line in `ALL`.

pub mod kit;
pub mod sensors;
pub mod wireless;

pub use kit::vertical::Vertical;

/// Every vertical there is.
pub const ALL: &[&dyn Vertical] = &[&sensors::Sensors, &wireless::Wireless];

/// The vertical a network names.
pub fn by_name(name: &str) -> Option<&'static dyn Vertical> {
    ALL.iter().copied().find(|vertical| vertical.name() == name)
}
