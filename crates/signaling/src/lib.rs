//! Graph client, tokens, webhook listener and the call state machine.
