//! ICE, DTLS-SRTP and batched sockets between the network and packet rings.
