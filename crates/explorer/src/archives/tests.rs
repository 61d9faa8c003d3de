//! Findings out of archives: see the file above.
