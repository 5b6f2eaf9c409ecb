//! A Graph-compatible calling service with real meetings.
