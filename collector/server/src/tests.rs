//! The collector in this process: real files, real sockets on free ports.

use std::path::Path;

use reqwest::StatusCode;
use tempfile::TempDir;

use crate::config::{Arguments, load};
use crate::{Collector, SetLevel, StartError};

fn no_level() -> SetLevel {
    Box::new(|_| Ok(()))
}

/// Arguments for a collector in this folder on free loopback ports.
fn arguments(data: &Path) -> Arguments {
    let file = data.with_extension("toml");
    if !file.exists() {
        std::fs::write(&file, "").unwrap();
    }
    Arguments {
        config: Some(file),
        data: Some(data.to_owned()),
        http: Some("127.0.0.1:0".parse().unwrap()),
        agents: Some("127.0.0.1:0".parse().unwrap()),
        ..Arguments::default()
    }
}

async fn start(arguments: Arguments) -> Result<Collector, StartError> {
    let config = load(&arguments).unwrap();
    Collector::start(arguments, config, no_level()).await
}

struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    fn of(collector: &Collector, data: &Path) -> Self {
        let token = std::fs::read_to_string(data.join("admin.token")).unwrap().trim().to_owned();
        Self { http: reqwest::Client::new(), base: format!("http://{}", collector.http_addr()), token }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let sent = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token).send().await.unwrap();
        (sent.status(), sent.text().await.unwrap())
    }

    async fn post(&self, path: &str) -> (StatusCode, String) {
        let sent = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token).send().await.unwrap();
        (sent.status(), sent.text().await.unwrap())
    }
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_answers_stops_and_starts_again() {
    let (_folder, data) = folder();
    let collector = start(arguments(&data)).await.unwrap();
    let client = Client::of(&collector, &data);
    assert_eq!(client.get("/-/ready").await, (StatusCode::OK, "Muster is ready.\n".to_owned()));
    assert_eq!(client.get("/-/healthy").await, (StatusCode::OK, "Muster is healthy.\n".to_owned()));
    let (status, text) = client.get("/api/v1/query?query=1%2B1&time=5").await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::OK, r#"{"status":"success","data":{"resultType":"scalar","result":[5,"2"]}}"#)
    );
    let (status, text) = client.get("/api/muster/v1/status").await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status, json["addresses"]["http"].as_str()),
        (StatusCode::OK, Some(collector.http_addr().to_string().as_str()))
    );
    let unknown = Client { token: "nobody".to_owned(), http: client.http.clone(), base: client.base.clone() };
    assert_eq!(unknown.post("/api/v1/write").await.0, StatusCode::UNAUTHORIZED, "intakes ask for a token too");
    assert_eq!(client.post("/api/v1/write").await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "the intake is mounted");
    assert_eq!(client.post("/-/flush?merge=1").await.0, StatusCode::OK);
    let address = collector.http_addr();
    collector.stop().await;
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");

    let collector = start(arguments(&data)).await.unwrap();
    let again = Client::of(&collector, &data);
    assert_eq!(again.token, client.token, "the administrator's token is made once");
    assert_eq!(again.get("/api/muster/v1/tokens").await.0, StatusCode::OK);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_collector_in_the_folder_and_a_taken_address_are_refused() {
    let (folder, data) = folder();
    let collector = start(arguments(&data)).await.unwrap();
    let told = start(arguments(&data)).await.map(|_| ()).unwrap_err().to_string();
    assert!(
        told.starts_with(&format!("another collector (process {}) uses the data folder", std::process::id())),
        "{told}"
    );

    let other = folder.path().join("other");
    let taken = Arguments { http: Some(collector.http_addr()), ..arguments(&other) };
    let told = start(taken).await.map(|_| ()).unwrap_err().to_string();
    assert!(told.starts_with(&format!("failed to listen for HTTP on {}", collector.http_addr())), "{told}");

    let taken = Arguments { agents: Some(collector.agents_addr()), ..arguments(&other) };
    let told = start(taken).await.map(|_| ()).unwrap_err().to_string();
    assert!(told.starts_with(&format!("agents cannot be listened for on {}", collector.agents_addr())), "{told}");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_over_http_is_all_or_nothing() {
    let (_folder, data) = folder();
    let arguments = arguments(&data);
    let file = arguments.config.clone().unwrap();
    let collector = start(arguments).await.unwrap();
    let client = Client::of(&collector, &data);
    std::fs::write(&file, "[query]\nlookback = \"1s\"\nlookbak = \"1m\"\n").unwrap();
    let (status, text) = client.post("/-/reload").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expect = format!(
        "the old configuration stays in force:\n{}:3:1: unknown key `query.lookbak`: did you mean `lookback`?\n",
        file.display()
    );
    assert_eq!(text, expect);
    std::fs::write(&file, "[query]\nlookback = \"1s\"\n").unwrap();
    assert_eq!(
        client.post("/-/reload").await,
        (StatusCode::OK, "reloaded: the configuration is in force\n".to_owned())
    );
    assert_eq!(collector.reload().await, Ok("reloaded: the configuration is in force".to_owned()));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_auth_no_token_is_asked_for() {
    let (_folder, data) = folder();
    let collector = start(Arguments { no_auth: true, ..arguments(&data) }).await.unwrap();
    let url = format!("http://{}/api/v1/labels", collector.http_addr());
    assert_eq!(reqwest::get(&url).await.unwrap().status(), StatusCode::OK);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_push_is_told_what_to_do_and_counted() {
    let (_folder, data) = folder();
    let collector = start(arguments(&data)).await.unwrap();
    let client = Client::of(&collector, &data);
    let url = format!("{}/api/v1/write", client.base);
    let sent = client.http.post(&url).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::UNAUTHORIZED);
    let told = sent.text().await.unwrap();
    assert!(told.contains("muster token new --scope ingest"), "{told}");
    let minute = std::time::Duration::from_secs(60);
    let word = |scope| {
        collector
            .state
            .fleet
            .new_http_token(&[scope], minute, &muster_fleet::By::Itself("test"), muster_common::time::now())
            .unwrap()
    };
    let push = async |word: String| client.http.post(&url).bearer_auth(word).send().await.unwrap().status();
    assert_eq!(push(word(muster_api::Scope::Read)).await, StatusCode::FORBIDDEN);
    assert_ne!(push(word(muster_api::Scope::Ingest)).await, StatusCode::FORBIDDEN);
    let (_, metrics) = client.get("/metrics").await;
    for reason in ["unauthorized", "forbidden"] {
        let line = format!("muster_collector_http_refused_total{{scope=\"ingest\",reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    collector.stop().await;
}
