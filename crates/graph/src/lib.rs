//! Graph calling resources as Rust types, the permission matrix and the media blob.
