//! Peers on a virtual clock: joins under loss, sessions, hostile input. No socket, no sleep.

mod pair;

mod hostile;
mod loss;
mod session;
