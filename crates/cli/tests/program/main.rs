//! The program as a user runs it: the real binary against a real emulator on loopback.
//!
//! One file per command. `stage` starts what the binary talks to; nothing of it is a mock. No test waits for the clock.

mod doctor;
mod emulator;
mod graph_commands;
mod in_calls;
mod permissions;
mod stage;
mod webhook;
