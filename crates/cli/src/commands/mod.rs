//! One file for each command: its arguments are its help; it asks services and says what they answer.

pub mod account;
pub mod agent;
pub mod audit;
pub mod config;
pub mod coverage;
pub mod credits;
pub mod demo;
pub mod device;
pub mod dispute;
pub mod explain;
pub mod explorer;
pub mod export;
pub mod gateway;
pub mod genesis;
pub mod key;
pub mod network;
pub mod node;
pub mod query;
pub mod router;
pub mod run_verifier;
pub mod state;
pub mod tx;
pub mod up;
pub mod validator;
pub mod verifier;
pub mod verify;
