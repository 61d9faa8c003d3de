//! The ways in: what a device or a file says, handed on with the device's name. Ports never look into a message.

pub mod datagram;
pub mod guard;
pub mod http;
pub mod mqtt;
pub mod replay;
