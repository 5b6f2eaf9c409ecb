//! Everything a media thread does: jitter buffer, decode, mix, encode, fan-out.
