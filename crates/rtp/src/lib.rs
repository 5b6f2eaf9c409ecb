//! RTP, RTCP, RED and telephone-event: views, writers, units.
