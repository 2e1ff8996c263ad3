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
async fn a_body_that_does_not_go_on_is_told_so_and_its_connection_ends() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_folder, data) = folder();
    let collector = start(arguments(&data)).await.unwrap();
    let client = Client::of(&collector, &data);
    let mut stream = tokio::net::TcpStream::connect(collector.http_addr()).await.unwrap();
    let head = format!(
        "POST /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nquery=",
        client.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(client.get("/-/ready").await.0, StatusCode::OK, "others are answered meanwhile");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(
        text.starts_with("HTTP/1.1 408 Request Timeout\r\n") && text.contains("the body came too slowly"),
        "{text}"
    );
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

/// Asks until the snapshot of this id is no longer being made; the answer then.
async fn snapshot_ended(client: &Client, id: &str) -> serde_json::Value {
    for _ in 0..1_200 {
        let (_, text) = client.get("/api/muster/v1/snapshots").await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        if answer["ended"]["id"] == id {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("snapshot {id} does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_made_over_http_and_another_collector_goes_on_from_it() {
    use crate::snapshot;
    let (folder, data) = folder();
    let arguments = arguments(&data);
    let (file, key) = (arguments.config.clone().unwrap(), folder.path().join("key"));
    let collector = start(arguments.clone()).await.unwrap();
    let client = Client::of(&collector, &data);
    let (status, text) = client.post("/api/muster/v1/snapshots").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for words in ["[snapshot] key_file", "head -c 32 /dev/urandom", "--without-ca-key"] {
        assert!(text.contains(words), "{text}");
    }
    std::fs::write(&key, "a key that is long enough\n").unwrap();
    std::fs::write(&file, format!("[snapshot]\nkey_file = \"{}\"\nkeep = 1\n", key.display())).unwrap();
    collector.reload().await.unwrap();
    let mut names = Vec::new();
    for _ in 0..2 {
        let (status, text) = client.post("/api/muster/v1/snapshots").await;
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        let id = serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_owned();
        let answer = snapshot_ended(&client, &id).await;
        assert!(answer["ended"]["problem"].is_null() && answer["running"].is_null(), "{answer}");
        let kept = answer["snapshots"].as_array().unwrap();
        assert_eq!(
            (kept.len(), &kept[0]["id"], &kept[0]["ca_keys"]),
            (1, &id.clone().into(), &"sealed".into()),
            "{answer}"
        );
        names.push(id);
    }
    assert_ne!(names[0], names[1]);
    let (_, metrics) = client.get("/metrics").await;
    assert!(metrics.contains("muster_collector_snapshots_total{outcome=\"made\"} 2\n"), "{metrics}");
    assert!(metrics.contains("muster_collector_snapshot_barrier_seconds 0."), "{metrics}");
    let pin = collector.state.fleet.pin();
    collector.stop().await;

    let disk: std::sync::Arc<dyn muster_common::disk::Disk> = std::sync::Arc::new(muster_common::disk::real::RealDisk);
    let (from, new) = (folder.path().join("muster-snapshots").join(&names[1]), folder.path().join("new"));
    let key = snapshot::read_key(&*disk, &key).unwrap();
    let restored = snapshot::restore(&disk, &from, &new, Some(&key), true).unwrap();
    let config = folder.path().join("config");
    snapshot::restore_config(&*disk, &from, &config, &restored.manifest).unwrap();
    assert_eq!(std::fs::read(config.join("collector.toml")).unwrap(), std::fs::read(&file).unwrap());
    assert_eq!(restored.manifest.secret_files.len(), 1, "the key is named and not copied");
    let collector = start(Arguments { data: Some(new.clone()), ..arguments.clone() }).await.unwrap();
    assert_eq!(collector.state.fleet.pin(), pin, "hosts know it");
    assert!(!new.join(snapshot::RESTORED).exists());
    // The word of the folder before goes on to work, and the new folder has one of its own.
    let restored = Client::of(&collector, &new);
    assert_ne!(restored.token, client.token);
    let before = Client { token: client.token.clone(), http: client.http.clone(), base: restored.base.clone() };
    for client in [restored, before] {
        assert_eq!(client.get("/api/muster/v1/tokens").await.0, StatusCode::OK);
    }
    collector.stop().await;

    // A restore that did not end is no data folder.
    let half = folder.path().join("half");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join(snapshot::RESTORING), "").unwrap();
    let told = start(Arguments { data: Some(half), ..arguments }).await.map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("has begun and not ended: repeat `muster-collector restore`"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_are_made_by_themselves_and_what_hinders_them_is_a_problem() {
    let (folder, data) = folder();
    let arguments = arguments(&data);
    let file = arguments.config.clone().unwrap();
    std::fs::write(&file, "[snapshot]\nevery = \"24h\"\n").unwrap();
    let collector = start(arguments).await.unwrap();
    let client = Client::of(&collector, &data);
    let look = async || {
        let snapshots = std::sync::Arc::clone(&collector.snapshots);
        tokio::task::spawn_blocking(move || snapshots.begin_if_due(muster_common::time::now())).await.unwrap();
    };
    look().await;
    let (_, status) = client.get("/api/muster/v1/status").await;
    assert!(status.contains("no key is given for the CA's private key"), "{status}");
    let key = folder.path().join("key");
    std::fs::write(&key, "a key that is long enough\n").unwrap();
    std::fs::write(&file, format!("[snapshot]\nevery = \"60s\"\nkey_file = \"{}\"\n", key.display())).unwrap();
    collector.reload().await.unwrap();
    // The attempt that failed was just now, so it is not tried again yet; a minute later it is.
    look().await;
    assert!(client.get("/api/muster/v1/snapshots").await.1.contains("\"running\":null"));
    let snapshots = std::sync::Arc::clone(&collector.snapshots);
    let later = muster_common::time::now().plus(std::time::Duration::from_secs(61));
    tokio::task::spawn_blocking(move || snapshots.begin_if_due(later)).await.unwrap();
    let (_, text) = client.get("/api/muster/v1/snapshots").await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id =
        [&answer["running"]["id"], &answer["ended"]["id"]].into_iter().find_map(|id| id.as_str()).unwrap().to_owned();
    assert!(snapshot_ended(&client, &id).await["ended"]["problem"].is_null());
    let (_, status) = client.get("/api/muster/v1/status").await;
    assert!(!status.contains("no key is given"), "{status}");
    collector.stop().await;
}
