//! From arguments to a client: where the collector is, and what is shown to it.

use std::path::Path;

use crate::arguments::{Arguments, Noun};
use crate::client::{Client, DATA, Target, Token, Trust};
use crate::error::Failure;
use crate::session::Sessions;

/// Where a collector on this machine listens unless it is told otherwise.
const USUAL_URL: &str = "http://127.0.0.1:9470";
/// In the collector's data folder.
const SOCKET: &str = "http.sock";

/// The URL that is asked, where it is not the socket: logins are kept by it.
pub(crate) fn url(arguments: &Arguments) -> &str {
    arguments.url.as_deref().unwrap_or(USUAL_URL)
}

/// Whether the collector is on this machine, as far as the arguments tell.
pub(crate) fn is_here(arguments: &Arguments) -> bool {
    Token::folder(url(arguments), arguments.data.as_deref()).is_some()
}

/// The client: of whom the token that was given says, else of the user who is logged in at this URL. Without either, and without --url,
/// it goes to this machine's collector over its unix socket, where the system says who asks; else to the URL with the token of `admin.token`.
///
/// # Errors
/// [`Failure::Usage`] where URL, trust or token cannot be used, or what proves who asks would cross the network in plain.
pub(crate) fn client(arguments: &Arguments, sessions: &Sessions) -> Result<Client, Failure> {
    let (data, url) = (arguments.data.as_deref(), url(arguments));
    let session = sessions.find(url).filter(|_| arguments.token.is_none()).cloned();
    let is_login = matches!(arguments.noun, Noun::Login(_) | Noun::Logout);
    if arguments.url.is_none() && arguments.token.is_none() && session.is_none() && !is_login {
        let socket = data.unwrap_or(Path::new(DATA)).join(SOCKET);
        if let Some(target) = Target::of_socket(&socket) {
            return Ok(Client::new(target, None));
        }
    }
    let trust = Trust::new(arguments.ca.as_deref(), arguments.pin.as_deref())?;
    let target = Target::of_url(url, &trust)?;
    let folder = Token::folder(url, data).filter(|_| session.is_none() && !is_login);
    let token = Token::find(arguments.token.as_deref(), folder)?;
    let secret = match (&token, &session) {
        (Some(token), _) => Some(format!("the token from {}", token.from)),
        (None, Some(session)) => Some(format!("the session of {}", session.user)),
        (None, None) => is_login.then(|| "the password".to_owned()),
    };
    if let Some(secret) = secret.filter(|_| target.is_open() && !arguments.insecure_http) {
        return Err(Failure::Usage(format!(
            "--url `{url}`: {secret} would cross the network in plain: write https:// with --ca FILE or --pin, or send it all the same with --insecure-http"
        )));
    }
    Ok(Client::new(target, token).with_session(session))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn told(words: &[&str]) -> String {
        let words = ["muster"].iter().chain(words).chain(&["status"]);
        let arguments = Arguments::try_parse_from(words).unwrap();
        match client(&arguments, &Sessions::load(Path::new(""), 0)) {
            Ok(client) => format!("{client:?}"),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn no_token_crosses_the_network_in_plain_unless_that_is_said() {
        let refused = told(&["--url", "http://192.0.2.7:9470", "--token", "x"]);
        assert_eq!(
            refused,
            "--url `http://192.0.2.7:9470`: the token from --token or MUSTER_TOKEN would cross the network in plain: write https:// with --ca FILE or --pin, or send it all the same with --insecure-http"
        );
        for words in [
            &["--url", "http://192.0.2.7:9470", "--token", "x", "--insecure-http"][..],
            &["--url", "http://127.0.0.1:9470", "--token", "x"],
            &["--url", "http://192.0.2.7:9470"],
        ] {
            assert!(told(words).starts_with("Client {"), "{words:?}: {}", told(words));
        }
    }

    #[test]
    fn the_socket_comes_before_the_token_of_the_folder_and_after_what_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("admin.token"), "word\n").unwrap();
        assert!(told(&["--data", data]).contains("admin.token"), "no socket is there: {}", told(&["--data", data]));
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let local = told(&["--data", data]);
        assert!(local.contains("http.sock") && local.contains("token: None"), "{local}");
        assert!(told(&["--data", data, "--token", "x"]).contains("127.0.0.1:9470"));
        assert!(told(&["--data", data, "--url", USUAL_URL]).contains("admin.token"));
    }
}
