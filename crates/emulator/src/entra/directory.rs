//! Tenants, app registrations, admin consent and users, in memory.
//!
//! The rules follow Entra: an app asks for permissions, an administrator of a tenant consents to them, and only consented
//! ones become roles of a token for that tenant. Pure data behind the service's lock; no clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use antiphon_graph::permission::Permission;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::{Answering, assertion};

/// An application registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct App {
    /// Client id, a GUID.
    pub app_id: String,
    /// Client secret.
    pub client_secret: String,
    /// Name shown in rosters.
    pub display_name: String,
    /// Tenant it was registered in.
    pub tenant_id: String,
    /// Whether it is registered as a calling bot; without it calls are refused with 7503.
    pub calling_bot: bool,
    /// Where calls to it are announced; without one nobody can call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Certificates or public keys (RSA, PEM) whose private keys sign its client assertions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Permissions it asks for.
    pub permissions: BTreeSet<String>,
    /// What administrators consented to, by tenant.
    pub consents: BTreeMap<String, BTreeSet<String>>,
}

/// An application to register. Left-out members are made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewApp {
    /// Name shown in rosters.
    pub display_name: String,
    /// Client id; a GUID.
    #[serde(default)]
    pub app_id: Option<String>,
    /// Client secret.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// Home tenant; the service's first tenant if left out.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// Permissions to ask for.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Registered as an application that does not call (`true`), to see what Graph answers to it.
    #[serde(default)]
    pub without_calling: bool,
    /// Where calls to it are announced: the webhook of its calling channel.
    #[serde(default)]
    pub webhook_url: Option<String>,
    /// Certificates or public keys (RSA, PEM) whose private keys sign its client assertions.
    #[serde(default)]
    pub certificates: Vec<String>,
}

impl NewApp {
    /// An application of this name that asks for nothing yet.
    pub fn named(display_name: impl Into<String>) -> Self {
        Self { display_name: display_name.into(), ..Self::default() }
    }

    /// Asks for these permissions, beside those it asks for already.
    #[must_use]
    pub fn asking_for(mut self, permissions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.permissions.extend(permissions.into_iter().map(Into::into));
        self
    }
}

impl From<&str> for NewUser {
    /// A user of this name.
    fn from(display_name: &str) -> Self {
        Self { display_name: display_name.to_owned(), ..Self::default() }
    }
}

/// An administrator's consent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// Tenant whose administrator consents; the app's home tenant if left out.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// The permissions consented to; all that the app asks for if left out. Replaces an earlier consent.
    #[serde(default)]
    pub permissions: Option<Vec<String>>,
}

/// A person of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct User {
    /// Object id, a GUID.
    pub id: String,
    /// Name shown in rosters.
    pub display_name: String,
    /// Tenant of the person.
    pub tenant_id: String,
    /// Telephone number, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// What the person does when called.
    #[serde(default)]
    pub answering: Answering,
}

/// A person to add. Left-out members are made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    /// Name shown in rosters.
    pub display_name: String,
    /// Object id; a GUID.
    #[serde(default)]
    pub id: Option<String>,
    /// Tenant; the service's first tenant if left out.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// Telephone number, E.164.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// What the person does when called; answers after a second if left out.
    #[serde(default)]
    pub answering: Answering,
}

/// Why the directory refused (culprit: caller).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No such tenant.
    #[error("there is no tenant {0:?}")]
    UnknownTenant(String),
    /// No such application.
    #[error("there is no application {0:?}")]
    UnknownApp(String),
    /// No such user.
    #[error("there is no user {0:?}")]
    UnknownUser(String),
    /// The id is taken.
    #[error("the id {0:?} is already taken")]
    Taken(String),
    /// Not a GUID.
    #[error("{0:?} is not a GUID")]
    NotGuid(String),
    /// Not a permission of the calling API.
    #[error("{0:?} is not a calling permission")]
    UnknownPermission(String),
    /// Consent to what the app does not ask for.
    #[error("the application does not ask for {0:?}: register it with that permission first")]
    NotRequested(String),
    /// Not an absolute URL.
    #[error("webhookUrl {0:?} is not an absolute http or https URL")]
    NotUrl(String),
    /// Not a certificate or public key for RSA.
    #[error("certificates[{0}] is not a certificate or public key for RSA of 2048 bits or more, as PEM")]
    NotCertificate(usize),
    /// An empty name.
    #[error("displayName must not be empty")]
    EmptyName,
}

/// Everybody the service knows by identity.
#[derive(Debug)]
pub(crate) struct Directory {
    first_tenant: String,
    tenants: BTreeSet<String>,
    apps: BTreeMap<String, App>,
    users: BTreeMap<String, User>,
    /// Ids of apps and users as they came, oldest first.
    arrivals: Vec<String>,
    /// By tenant, the applications that may take participants out of conversations; all may where there is no entry.
    removers: BTreeMap<String, BTreeSet<String>>,
}

impl Directory {
    /// A directory with one tenant.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NotGuid`] when `first_tenant` is none.
    pub(crate) fn new(first_tenant: &str) -> Result<Self, DirectoryError> {
        let first_tenant = guid(first_tenant)?;
        Ok(Self {
            tenants: BTreeSet::from([first_tenant.clone()]),
            first_tenant,
            apps: BTreeMap::new(),
            users: BTreeMap::new(),
            arrivals: Vec::new(),
            removers: BTreeMap::new(),
        })
    }

    pub(crate) fn first_tenant(&self) -> &str {
        &self.first_tenant
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &str> {
        self.tenants.iter().map(String::as_str)
    }

    /// Oldest first.
    pub(crate) fn apps(&self) -> impl Iterator<Item = &App> {
        self.arrivals.iter().filter_map(|id| self.apps.get(id))
    }

    /// Oldest first.
    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        self.arrivals.iter().filter_map(|id| self.users.get(id))
    }

    pub(crate) fn app(&self, app_id: &str) -> Option<&App> {
        self.apps.get(&guid(app_id).ok()?)
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.get(&guid(id).ok()?)
    }

    /// The tenant's id in canonical spelling, if it exists.
    pub(crate) fn tenant(&self, id: &str) -> Option<&str> {
        self.tenants.get(&guid(id).ok()?).map(String::as_str)
    }

    /// Adds a tenant, with a fresh id if none is given.
    pub(crate) fn add_tenant(&mut self, id: Option<&str>) -> Result<String, DirectoryError> {
        let id = id.map_or_else(|| Ok(fresh()), guid)?;
        if !self.tenants.insert(id.clone()) {
            return Err(DirectoryError::Taken(id));
        }
        Ok(id)
    }

    /// Sets which applications may take participants out of conversations of a tenant; `None` lets all.
    pub(crate) fn allow_removal(&mut self, tenant: &str, apps: Option<Vec<String>>) -> Result<(), DirectoryError> {
        let tenant = self.tenant_or_first(Some(tenant))?;
        match apps {
            None => drop(self.removers.remove(&tenant)),
            Some(apps) => {
                let apps = apps.iter().map(|app| guid(app)).collect::<Result<_, _>>()?;
                self.removers.insert(tenant, apps);
            }
        }
        Ok(())
    }

    /// The applications that may take participants out of conversations of a tenant; `None` when all may.
    pub(crate) fn removers(&self, tenant: &str) -> Option<&BTreeSet<String>> {
        self.removers.get(&guid(tenant).ok()?)
    }

    /// Whether an application may take participants out of conversations of a tenant.
    pub(crate) fn may_remove_participants(&self, tenant: &str, app_id: &str) -> bool {
        self.removers(tenant).is_none_or(|apps| guid(app_id).is_ok_and(|app_id| apps.contains(&app_id)))
    }

    /// Registers an application; nothing is consented yet.
    pub(crate) fn register(&mut self, new: NewApp) -> Result<App, DirectoryError> {
        let display_name = named(new.display_name)?;
        let app_id = new.app_id.as_deref().map_or_else(|| Ok(fresh()), guid)?;
        if self.is_taken(&app_id) {
            return Err(DirectoryError::Taken(app_id));
        }
        let app = App {
            client_secret: new.client_secret.unwrap_or_else(fresh_secret),
            display_name,
            tenant_id: self.tenant_or_first(new.tenant_id.as_deref())?,
            calling_bot: !new.without_calling,
            webhook_url: new.webhook_url.map(webhook).transpose()?,
            certificates: certificates(new.certificates)?,
            permissions: known_permissions(new.permissions)?,
            consents: BTreeMap::new(),
            app_id: app_id.clone(),
        };
        self.arrivals.push(app_id.clone());
        self.apps.insert(app_id, app.clone());
        Ok(app)
    }

    /// Removes a registration: no more tokens and no new calls. Calls it has go on until they end.
    pub(crate) fn remove_app(&mut self, app_id: &str) -> Result<(), DirectoryError> {
        let unknown = || DirectoryError::UnknownApp(app_id.to_owned());
        let app_id = guid(app_id).map_err(|_| unknown())?;
        self.apps.remove(&app_id).ok_or_else(unknown)?;
        self.arrivals.retain(|id| *id != app_id);
        Ok(())
    }

    /// Apps and users are objects of one directory: an id names one of them.
    fn is_taken(&self, id: &str) -> bool {
        self.apps.contains_key(id) || self.users.contains_key(id)
    }

    /// Records an administrator's consent; tokens given from now on carry it.
    pub(crate) fn consent(&mut self, app_id: &str, consent: Consent) -> Result<App, DirectoryError> {
        let unknown = || DirectoryError::UnknownApp(app_id.to_owned());
        let app_id = guid(app_id).map_err(|_| unknown())?;
        let home = self.apps.get(&app_id).ok_or_else(unknown)?.tenant_id.clone();
        let tenant = self.tenant_or_first(Some(consent.tenant_id.as_deref().unwrap_or(&home)))?;
        let app = self.apps.get_mut(&app_id).ok_or_else(unknown)?;
        let granted = match consent.permissions {
            None => app.permissions.clone(),
            Some(permissions) => known_permissions(permissions)?,
        };
        if let Some(extra) = granted.difference(&app.permissions).next() {
            return Err(DirectoryError::NotRequested(extra.clone()));
        }
        app.consents.insert(tenant, granted);
        Ok(app.clone())
    }

    /// Adds a person.
    pub(crate) fn add_user(&mut self, new: NewUser) -> Result<User, DirectoryError> {
        let id = new.id.as_deref().map_or_else(|| Ok(fresh()), guid)?;
        if self.is_taken(&id) {
            return Err(DirectoryError::Taken(id));
        }
        let user = User {
            id: id.clone(),
            display_name: named(new.display_name)?,
            tenant_id: self.tenant_or_first(new.tenant_id.as_deref())?,
            phone_number: new.phone_number,
            answering: new.answering,
        };
        self.arrivals.push(id.clone());
        self.users.insert(id, user.clone());
        Ok(user)
    }

    /// Changes what a person does when called.
    pub(crate) fn change_user(&mut self, id: &str, answering: Option<Answering>) -> Result<User, DirectoryError> {
        let unknown = || DirectoryError::UnknownUser(id.to_owned());
        let user = guid(id).ok().and_then(|id| self.users.get_mut(&id)).ok_or_else(unknown)?;
        if let Some(answering) = answering {
            user.answering = answering;
        }
        Ok(user.clone())
    }

    /// Changes where calls to an application are announced.
    pub(crate) fn set_webhook(&mut self, app_id: &str, webhook_url: Option<String>) -> Result<App, DirectoryError> {
        let unknown = || DirectoryError::UnknownApp(app_id.to_owned());
        let app = guid(app_id).ok().and_then(|id| self.apps.get_mut(&id)).ok_or_else(unknown)?;
        app.webhook_url = webhook_url.map(webhook).transpose()?;
        Ok(app.clone())
    }

    /// The named tenant if it exists, or the first one when none is named.
    pub(crate) fn tenant_or_first(&self, tenant: Option<&str>) -> Result<String, DirectoryError> {
        let Some(named) = tenant else {
            return Ok(self.first_tenant.clone());
        };
        self.tenant(named).map(str::to_owned).ok_or_else(|| DirectoryError::UnknownTenant(named.to_owned()))
    }
}

/// A GUID in canonical spelling: dashed, lower case.
fn guid(text: &str) -> Result<String, DirectoryError> {
    Uuid::parse_str(text).map(|id| id.to_string()).map_err(|_| DirectoryError::NotGuid(text.to_owned()))
}

fn fresh() -> String {
    Uuid::new_v4().to_string()
}

fn fresh_secret() -> String {
    // In the look of an Entra secret: 40 characters with a tilde. 244 random bits.
    let random = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    format!("{}~{}", &random[..3], &random[3..39])
}

fn webhook(url: String) -> Result<String, DirectoryError> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let scheme =
        parsed.as_ref().filter(|url| url.host().is_some_and(|host| !host.is_empty())).and_then(http::Uri::scheme_str);
    if matches!(scheme, Some("http" | "https")) { Ok(url) } else { Err(DirectoryError::NotUrl(url)) }
}

fn certificates(pems: Vec<String>) -> Result<Vec<String>, DirectoryError> {
    match pems.iter().position(|pem| assertion::public_key(pem).is_none()) {
        Some(index) => Err(DirectoryError::NotCertificate(index)),
        None => Ok(pems),
    }
}

fn named(name: String) -> Result<String, DirectoryError> {
    if name.trim().is_empty() {
        return Err(DirectoryError::EmptyName);
    }
    Ok(name)
}

fn known_permissions(names: Vec<String>) -> Result<BTreeSet<String>, DirectoryError> {
    names
        .into_iter()
        .map(|name| {
            Permission::parse(&name)
                .map(|permission| permission.name().to_owned())
                .ok_or(DirectoryError::UnknownPermission(name))
        })
        .collect()
}
