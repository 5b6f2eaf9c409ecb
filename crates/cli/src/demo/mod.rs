//! `antiphon demo`: the main job on real speech, proven from recordings.

pub(crate) mod matrix;
pub(crate) mod model;
pub(crate) mod notices;
pub(crate) mod progress;
pub(crate) mod script;
pub(crate) mod tape;
