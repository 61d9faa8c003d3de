//! What must always hold of the whole state: state -> violations.
