//! Conversations, media sessions and routes: owns the media threads.
