//! x

mod support;
