//! Each rule of the judge, on small made epochs.

use super::*;
