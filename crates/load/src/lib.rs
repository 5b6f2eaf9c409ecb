//! Synthetic participants: talkers, ears, lossy links, probes and signatures.
