use std::time::Duration;

use super::*;
use crate::testing::{Bench, at};
use crate::{AuditQuery, Binding, ErrorKind, TokenSpec};

const ADMIN: &By = &By::Itself("operator");

/// Cheap: what is hashed is no matter here.
fn password() -> PasswordHash {
    PasswordHash::of_nobody()
}

#[test]
fn a_role_is_a_set_of_scopes() {
    for (role, name, scopes) in [
        (Role::Viewer, "viewer", &[Scope::Read][..]),
        (Role::Operator, "operator", &[Scope::Read, Scope::Silence, Scope::Ask, Scope::TaskRequest, Scope::Deploy]),
        (Role::Admin, "admin", &[Scope::Admin]),
    ] {
        assert_eq!((role.as_str(), role.scopes()), (name, scopes));
        assert_eq!(Role::parse(name), Some(role));
        assert_eq!(serde_json::to_value(role).unwrap(), name);
    }
    assert_eq!(Role::parse("root"), None);
}

#[test]
fn names_are_plain_and_in_lower_case() {
    for (name, is_taken) in [
        ("ann", true),
        ("a.b-c_9", true),
        (&"x".repeat(64), true),
        ("", false),
        ("Ann", false),
        ("-ann", false),
        ("an n", false),
        ("ann\n", false),
        ("\u{e4}nn", false),
        (&"x".repeat(65), false),
    ] {
        assert_eq!(check_user_name(name).is_ok(), is_taken, "{name}");
    }
}

#[test]
fn users_are_made_changed_and_removed_and_outlive_a_restart() {
    let bench = Bench::new();
    let fleet = &bench.fleet;
    fleet.add_user("ann", Role::Viewer, password(), &By::unix(0), at(1)).unwrap();
    assert_eq!(fleet.add_user("ann", Role::Admin, password(), ADMIN, at(2)).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(fleet.add_user("Bea", Role::Admin, password(), ADMIN, at(2)).unwrap_err().kind(), ErrorKind::Input);
    let role = UserChange { role: Some(Role::Operator), ..UserChange::default() };
    assert_eq!(fleet.change_user("bea", role.clone(), ADMIN, at(3)).unwrap_err().kind(), ErrorKind::NotFound);
    fleet.change_user("ann", role.clone(), ADMIN, at(3)).unwrap();
    let count = fleet.events(100).unwrap().len();
    fleet.change_user("ann", role, ADMIN, at(4)).unwrap();
    assert_eq!(fleet.events(100).unwrap().len(), count, "what is so already is no change");
    let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    fleet.change_user("ann", disabled(true), ADMIN, at(5)).unwrap();
    assert!(fleet.password_of("ann").is_none() && fleet.password_of("nobody").is_none());
    let bench = bench.reopen();
    let view = bench.fleet.user("ann").unwrap();
    assert_eq!((view.role, view.disabled_ms, view.changed_ms), (Role::Operator, Some(at(5).millis()), at(5).millis()));
    assert_eq!((view.made_ms, view.made_by.as_str()), (at(1).millis(), "unix:0"));
    bench.fleet.change_user("ann", disabled(false), ADMIN, at(6)).unwrap();
    assert!(bench.fleet.password_of("ann").is_some());
    bench.fleet.remove_user("ann", ADMIN, at(7)).unwrap();
    assert!(bench.fleet.users().is_empty());
    assert!(bench.reopen().fleet.users().is_empty());
}

/// Another password, role, disabling and removal: each ends all that the user had, and nobody else's.
#[test]
fn a_change_ends_what_the_user_could_do_before() {
    let password_of = |salt: u8| PasswordHash::new(&format!("password {salt}")).unwrap();
    let changes: [(&str, Option<UserChange>); 4] = [
        ("password", Some(UserChange { password: Some(password_of(9)), ..UserChange::default() })),
        ("role", Some(UserChange { role: Some(Role::Viewer), ..UserChange::default() })),
        ("disabled", Some(UserChange { disabled: Some(true), ..UserChange::default() })),
        ("removed", None),
    ];
    for (what, change) in changes {
        let bench = Bench::new();
        let fleet = &bench.fleet;
        let (ann, hour) = (By::user("ann", "192.0.2.7"), Duration::from_secs(3_600));
        fleet.add_user("ann", Role::Admin, password(), ADMIN, at(0)).unwrap();
        fleet.add_user("anna", Role::Admin, password(), ADMIN, at(0)).unwrap();
        let session = fleet.open_session("ann", &password(), "192.0.2.7", at(1)).unwrap();
        let others = fleet.open_session("anna", &password(), "192.0.2.7", at(1)).unwrap();
        let http = fleet.new_http_token(&[Scope::Admin], hour, &ann, at(1)).unwrap();
        let theirs = fleet.new_http_token(&[Scope::Read], hour, &By::user("anna", "x"), at(1)).unwrap();
        let spec = TokenSpec { binding: Binding::Name("db1".into()), by: ann, ..TokenSpec::default() };
        let enrolment = bench.token(spec);
        assert!(fleet.check_session(&session, at(2)).is_some() && fleet.check_http_token(&http, at(2)).is_some());
        match change {
            Some(change) => drop(fleet.change_user("ann", change, ADMIN, at(2)).unwrap()),
            None => fleet.remove_user("ann", ADMIN, at(2)).unwrap(),
        }
        assert_eq!(fleet.check_session(&session, at(3)), None, "{what}");
        assert_eq!(fleet.check_http_token(&http, at(3)), None, "{what}");
        let id = enrolment.split('.').next().unwrap();
        let token = fleet.tokens().into_iter().find(|token| token.id == id).unwrap();
        assert!(token.revoked_ms.is_some(), "{what}");
        assert!(fleet.check_session(&others, at(3)).is_some() && fleet.check_http_token(&theirs, at(3)).is_some());
        let told = fleet.events(1).unwrap().remove(0).text;
        assert!(told.contains("1 sessions end, and the tokens that it made: ") && told.contains(id), "{told}");
    }
}

#[test]
fn what_is_done_to_users_is_audited_and_never_tells_a_secret() {
    let bench = Bench::new();
    let hash = PasswordHash::new("correct horse").unwrap();
    let by = By::user("root", "192.0.2.7");
    bench.fleet.add_user("ann", Role::Viewer, hash, &by, at(1)).unwrap();
    let other = UserChange { password: Some(PasswordHash::new("battery staple").unwrap()), ..UserChange::default() };
    bench.fleet.change_user("ann", other, &by, at(2)).unwrap();
    bench.fleet.remove_user("ann", &by, at(3)).unwrap();
    let rows = bench.fleet.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.object.as_str(), row.text.as_str())).collect();
    assert_eq!(
        told,
        [
            ("user_removed", "ann", "removed user `ann`"),
            ("user_changed", "ann", "user `ann` has another password"),
            ("user_made", "ann", "made user `ann` with the role viewer"),
        ]
    );
}
