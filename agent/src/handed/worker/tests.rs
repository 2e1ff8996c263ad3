use muster_common::disk::real::RealDisk;
use muster_common::wire::message::Epoch;

use super::*;
use crate::handed::file::tests::report;
use crate::handed::give::{folder_of, give};

/// Longer than a look takes on a starved machine.
const LIMIT: Duration = Duration::from_secs(30);

async fn within<T>(what: impl Future<Output = Option<T>>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("in time").expect("the thread lives")
}

#[tokio::test]
async fn what_is_handed_over_is_found_placed_and_goes() {
    let state = tempfile::tempdir().unwrap();
    let folder = folder_of(state.path());
    let start = || HandedWorker::start(Arc::new(RealDisk), folder.clone()).unwrap();
    let (worker, (mut frames, mut news), placed) = start();
    assert_eq!(placed, []);
    for ms in [1, 2] {
        give(&RealDisk, state.path(), time::now(), ms, report("backup", ms)).unwrap();
    }
    let first = within(frames.recv()).await;
    let place = (Epoch::new(9, 9), 4);
    worker.obey(HandedOrder::Claim { id: first.id, epoch: place.0, seq: place.1 });
    let answer = within(news.recv()).await;
    assert!(matches!(answer, HandedNews::Answer(HandedAnswer::Claimed { id, kept: true }) if id == first.id));
    let second = within(frames.recv()).await;
    assert_eq!((first.at_ms, second.at_ms), (1, 2));
    // Another process finds the place that was given.
    drop((worker, frames, news));
    let (worker, (mut frames, mut news), placed) = start();
    assert_eq!(placed.iter().map(|one| (one.at_ms, one.place)).collect::<Vec<_>>(), [(1, Some(place))]);
    assert_eq!(within(frames.recv()).await.at_ms, 2);
    worker.obey(HandedOrder::Free { id: placed[0].id });
    let answer = within(news.recv()).await;
    assert!(matches!(answer, HandedNews::Answer(HandedAnswer::Freed { .. })));
    let again = within(frames.recv()).await;
    assert_eq!((again.at_ms, again.place), (1, None));
    worker.obey(HandedOrder::Done { id: again.id });
    std::fs::write(folder.join("notes.txt"), "not ours").unwrap();
    let HandedNews::Problems(problems) = within(news.recv()).await else { panic!("problems") };
    assert!(problems[0].place.ends_with("notes.txt.aside"), "{problems:?}");
    // A look that an earlier ring asked for may find the stranger before the order is carried out.
    let gone = async {
        loop {
            let left = std::fs::read_dir(&folder).unwrap().count();
            if left == 2 {
                return Some(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(gone).await;
}
