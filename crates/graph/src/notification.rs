//! Notifications: what the service posts to an app's callback.
//!
//! `resourceData` is one entity, several, or absent; which type follows from
//! the resource path and `@odata.type`, and partial entities must be merged
//! member by member, so it is kept as JSON objects here.
//! Spec: <https://learn.microsoft.com/graph/api/resources/commsnotification>.

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{Extra, Object, TypeTag, Typed, null_as_default};
use crate::{ChangeType, ResourcePath, ResourcePathError};

/// The body of a notification request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CommsNotifications {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The notifications, to be handled in this order.
    #[serde(default, deserialize_with = "null_as_default")]
    pub value: Vec<CommsNotification>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CommsNotifications {
    const TYPE: &'static str = "commsNotifications";
}

/// One change of one resource.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommsNotification {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// What happened to the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_type: Option<ChangeType>,
    /// The same as `resourceUrl` in the legacy `/app` family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Relative path of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_url: Option<String>,
    /// Where this was posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// The changed resource, whole or in part.
    #[serde(default, skip_serializing_if = "ResourceData::is_absent")]
    pub resource_data: ResourceData,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CommsNotification {
    const TYPE: &'static str = "commsNotification";
}

/// The resource a notification carries.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ResourceData {
    /// None, or null.
    #[default]
    Absent,
    /// One entity.
    One(Object),
    /// Several entities.
    Many(Vec<Object>),
}

impl CommsNotifications {
    /// A body of these notifications.
    pub fn of(value: Vec<CommsNotification>) -> Self {
        Self { value, ..Self::default() }
    }

    /// Reads a request body. Never panics, whatever the bytes.
    ///
    /// # Errors
    ///
    /// If the bytes are no JSON or not of this shape.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

impl CommsNotification {
    /// The resource it is about: by `resourceUrl`, else by `resource`.
    ///
    /// # Errors
    ///
    /// If neither leads to a call.
    pub fn path(&self) -> Result<ResourcePath, ResourcePathError> {
        let url = self.resource_url.as_deref().map(ResourcePath::parse);
        match (url, self.resource.as_deref()) {
            (Some(Ok(path)), _) => Ok(path),
            (_, Some(resource)) => ResourcePath::parse(resource),
            _ => Err(ResourcePathError::NotACallPath),
        }
    }
}

impl ResourceData {
    /// Writes a resource as one entity.
    ///
    /// # Errors
    ///
    /// If the value is not written as a JSON object.
    pub fn one<T: Serialize>(resource: &T) -> Result<Self, serde_json::Error> {
        object_of(resource).map(Self::One)
    }

    /// Writes resources as several entities.
    ///
    /// # Errors
    ///
    /// If one of them is not written as a JSON object.
    pub fn many<T: Serialize>(resources: &[T]) -> Result<Self, serde_json::Error> {
        resources.iter().map(object_of).collect::<Result<_, _>>().map(Self::Many)
    }

    /// Whether there is none.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The entities, however many.
    pub fn entities(&self) -> &[Object] {
        match self {
            Self::Absent => &[],
            Self::One(entity) => std::slice::from_ref(entity),
            Self::Many(entities) => entities,
        }
    }
}

fn object_of<T: Serialize>(resource: &T) -> Result<Object, serde_json::Error> {
    match serde_json::to_value(resource)? {
        Value::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("an entity is a JSON object")),
    }
}

impl Serialize for ResourceData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::One(entity) => entity.serialize(serializer),
            Self::Many(entities) => entities.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ResourceData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::Absent),
            Value::Object(entity) => Ok(Self::One(entity)),
            Value::Array(items) => items
                .into_iter()
                .filter(|item| !item.is_null())
                .map(|item| match item {
                    Value::Object(entity) => Ok(entity),
                    _ => Err(D::Error::custom("resourceData holds something that is no entity")),
                })
                .collect::<Result<_, _>>()
                .map(Self::Many),
            _ => Err(D::Error::custom("resourceData is neither an entity nor a list of them")),
        }
    }
}
