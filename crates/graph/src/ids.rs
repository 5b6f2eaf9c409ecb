//! Ids the service makes.
//!
//! Graph writes the same id dashed in lower case in one place and as 32 upper
//! case hex digits in another, so these compare and hash without dashes and
//! case, and print as received. They are opaque: no GUID form is required.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

macro_rules! graph_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as it is written.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as it was received or made.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, rhs: &Self) -> bool {
                canonical(&self.0).eq(canonical(&rhs.0))
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, rhs: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(rhs))
            }
        }

        impl Ord for $name {
            fn cmp(&self, rhs: &Self) -> std::cmp::Ordering {
                canonical(&self.0).cmp(canonical(&rhs.0))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                for byte in canonical(&self.0) {
                    state.write_u8(byte);
                }
                state.write_u8(0xff);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self::new(id.to_string())
            }
        }
    };
}

fn canonical(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_lowercase())
}

graph_id! {
    /// The id of a `call`: one app's leg in a conversation.
    CallId
}

graph_id! {
    /// The id of a `participant` in a call's roster.
    ParticipantId
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn call_ids_compare_without_dashes_and_case() {
        let dashed = CallId::new("57dab8b1-894c-409a-b240-bd8beae78896");
        let bare = CallId::new("57DAB8B1894C409AB240BD8BEAE78896");
        assert_eq!(dashed, bare);
        assert!(HashSet::from([dashed]).contains(&bare));
        assert_ne!(bare, CallId::new("57DAB8B1894C409AB240BD8BEAE78897"));
        assert_eq!(bare.to_string(), "57DAB8B1894C409AB240BD8BEAE78896");
    }
}
