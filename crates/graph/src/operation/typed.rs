//! How a concrete operation type is made of the common members and its own.

/// Declares a concrete operation; see the module header.
///
/// Reading it takes any object for one, as the reply to an action may lack its
/// tag; writing it says the declared type.
macro_rules! typed_operation {
    (
        $(#[$meta:meta])*
        $name:ident = $type:literal {
            $( $(#[$field_meta:meta])* $field:ident: $ty:ty ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $ty, )*
            /// What all operations have.
            #[serde(flatten)]
            pub operation: $crate::CommsOperation,
        }

        impl $crate::wire::Typed for $name {
            const TYPE: &'static str = $type;
        }

        impl $name {
            /// An operation of an id, with a status.
            pub fn new(id: impl Into<String>, status: $crate::OperationStatus) -> Self {
                Self::of($crate::CommsOperation { id: Some(id.into()), status: Some(status), ..Default::default() })
            }

            fn of(operation: $crate::CommsOperation) -> Self {
                let tag = $crate::wire::TypeTag::of($type);
                Self {
                    $( $field: Default::default(), )*
                    operation: $crate::CommsOperation { odata_type: tag, ..operation },
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::of($crate::CommsOperation::default())
            }
        }

        impl From<$name> for $crate::CommsOperation {
            /// The common form; what the type has of its own is in `extra`.
            fn from(typed: $name) -> Self {
                serde_json::to_value(typed)
                    .and_then(serde_json::from_value)
                    .expect("invariant: a typed operation is an operation")
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Wire {
                    $( $(#[$field_meta])* $field: $ty, )*
                    #[serde(flatten)]
                    operation: $crate::CommsOperation,
                }
                let wire = Wire::deserialize(deserializer)?;
                let untagged = wire.operation.odata_type.is_declared();
                let mut typed = Self { $( $field: wire.$field, )* operation: wire.operation };
                if untagged {
                    typed.operation.odata_type = $crate::wire::TypeTag::of($type);
                }
                Ok(typed)
            }
        }
    };
}

pub(crate) use typed_operation;
