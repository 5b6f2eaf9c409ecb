//! Two talkers on webrtc peer connections, over a lossy relay.
