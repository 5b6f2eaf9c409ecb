//! Who an identity set means, and what happens when they are called.
//!
//! Resolved before a call is placed, forwarding included, so that nothing has to be looked up while the phone rings.
//! Pure data.

use antiphon_graph::permission::Permission;
use antiphon_graph::{Identity, IdentitySet};
use uuid::Uuid;

use super::{AnsweringAction, App, Directory, User};

/// Most times a call is forwarded before it counts as unreachable.
const MAX_FORWARDS: usize = 5;

/// Somebody to call.
#[derive(Debug, Clone)]
pub(crate) enum Callee {
    /// A user of this service, and to whom their calls go if they forward them.
    Person { user: User, forward: Option<Box<Callee>> },
    /// An application with a calling webhook.
    App(App),
    /// Nobody this service knows: no endpoint rings.
    Nobody,
    /// A telephone number the caller may not dial.
    Barred,
}

impl Directory {
    /// Whom a target means: a user by object id, somebody by telephone number, or an application by app id.
    pub(crate) fn callee(&self, identity: &IdentitySet) -> Callee {
        let id = |identity: &Option<Identity>| identity.as_ref().and_then(|identity| identity.id.clone());
        if let Some(user) = id(&identity.user).and_then(|id| self.user(&id)) {
            return self.person(user, MAX_FORWARDS);
        }
        if let Some(number) = id(&identity.phone)
            && let Some(user) = self.users().find(|user| user.phone_number.as_deref() == Some(&number))
        {
            return self.person(user, MAX_FORWARDS);
        }
        let app = id(&identity.application).and_then(|id| self.app(&id));
        match app {
            Some(app) if app.calling_bot && app.webhook_url.is_some() => Callee::App(app.clone()),
            _ => Callee::Nobody,
        }
    }

    fn person(&self, user: &User, forwards: usize) -> Callee {
        let forward = (user.answering.action == AnsweringAction::Forward).then(|| {
            let next = user.answering.forward_to.as_deref().and_then(|id| self.user(id));
            Box::new(match next {
                Some(next) if forwards > 0 => self.person(next, forwards - 1),
                _ => Callee::Nobody,
            })
        });
        Callee::Person { user: user.clone(), forward }
    }
}

impl User {
    /// The user as a member of calls.
    pub(crate) fn identity(&self) -> IdentitySet {
        IdentitySet::of_user(Identity {
            tenant_id: Some(self.tenant_id.clone()),
            ..Identity::of(&self.id).named(&self.display_name)
        })
    }
}

impl App {
    /// A caller as this application may see them: without any calling permission, nobody by name.
    pub(crate) fn shown(&self, caller: IdentitySet, tenant: &str) -> IdentitySet {
        if self.sees_callers_of(tenant) {
            return caller;
        }
        IdentitySet { encrypted: Some(Identity::of(Uuid::new_v4().to_string())), ..IdentitySet::default() }
    }

    /// Whether incoming calls of a tenant show this application who is calling.
    fn sees_callers_of(&self, tenant: &str) -> bool {
        const ENOUGH: [Permission; 5] = [
            Permission::AccessMedia,
            Permission::Initiate,
            Permission::InitiateGroupCall,
            Permission::JoinGroupCall,
            Permission::JoinGroupCallAsGuest,
        ];
        self.consents.get(tenant).is_some_and(|names| {
            names.iter().filter_map(|name| Permission::parse(name)).any(|permission| ENOUGH.contains(&permission))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::{Answering, NewUser};

    fn user(directory: &mut Directory, name: &str, answering: Answering) -> User {
        directory.add_user(NewUser { display_name: name.to_owned(), answering, ..NewUser::default() }).unwrap()
    }

    #[test]
    fn forwarding_is_followed_and_a_circle_ends_nowhere() {
        let mut directory = Directory::new(crate::config::DEFAULT_TENANT).unwrap();
        let last = user(&mut directory, "Last", Answering::default());
        let forward = |to: &User| Answering {
            action: AnsweringAction::Forward,
            forward_to: Some(to.id.clone()),
            ..Answering::default()
        };
        let first = user(&mut directory, "First", forward(&last));
        let Callee::Person { user: called, forward: Some(next) } = directory.callee(&first.identity()) else {
            panic!("a user is a person");
        };
        assert_eq!(called.id, first.id);
        assert!(matches!(*next, Callee::Person { ref user, forward: None } if user.id == last.id));

        directory.change_user(&last.id, Some(forward(&first))).unwrap();
        let mut callee = directory.callee(&first.identity());
        let mut forwards = 0;
        while let Callee::Person { forward: Some(next), .. } = callee {
            callee = *next;
            forwards += 1;
        }
        assert!(matches!(callee, Callee::Nobody), "after {forwards} forwards");
    }

    #[test]
    fn people_are_found_by_number_and_strangers_are_nobody() {
        let mut directory = Directory::new(crate::config::DEFAULT_TENANT).unwrap();
        let new = NewUser {
            display_name: "Pia".to_owned(),
            phone_number: Some("+15551234".to_owned()),
            ..NewUser::default()
        };
        let pia = directory.add_user(new).unwrap();
        let by_number = |number: &str| {
            directory.callee(&IdentitySet { phone: Some(Identity::of(number)), ..IdentitySet::default() })
        };
        assert!(matches!(by_number("+15551234"), Callee::Person { ref user, .. } if user.id == pia.id));
        assert!(matches!(by_number("+15550000"), Callee::Nobody));
        assert!(matches!(directory.callee(&IdentitySet::default()), Callee::Nobody));
    }
}
