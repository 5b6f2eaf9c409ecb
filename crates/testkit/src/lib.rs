//! Virtual clock and allocation guard for tests.
