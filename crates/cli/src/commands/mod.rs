//! One file for each command: its arguments are its help; it asks services and says what they answer.

pub mod audit;
pub mod demo;
pub mod explain;
