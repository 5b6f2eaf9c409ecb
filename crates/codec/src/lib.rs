//! Opus: encode, decode, FEC, PLC and state copy.
