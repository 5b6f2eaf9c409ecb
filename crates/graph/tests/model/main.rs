//! Every resource, enumeration and action held against the model, and the model against the service's metadata.
//!
//! The first needs nothing but this repository. The second reads the two CSDL extracts from the folder that
//! `ANTIPHON_CSDL` names, or from a folder beside the repository, and says so where they are not at hand.

mod csdl;
mod generated;
mod held;
mod registry;
mod sample;
mod source;
