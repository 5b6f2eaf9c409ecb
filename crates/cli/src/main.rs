//! The `antiphon` program.

mod demo;
mod report;

fn main() {}
