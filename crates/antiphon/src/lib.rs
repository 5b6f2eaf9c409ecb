//! App-hosted media for calling bots: join calls over Microsoft Graph, hear everyone, speak.
