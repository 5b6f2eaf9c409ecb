//! Real loopback sockets: a connector's leg against an endpoint's, and both against an independent stack.

mod rig;

mod interop;
mod legs;
