//! The program `convoke`.
fn main() {}
