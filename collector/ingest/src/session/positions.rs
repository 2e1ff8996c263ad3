//! Committed positions as pages for the agent.

use muster_common::limits::POSITIONS_PAGE_MAX;
use muster_common::wire::message::{Position, Positions};
use muster_store::PositionRow;

/// Bytes of one page's rows, paths included: below a frame's payload even where nothing can be compressed.
const PAGE_BYTES_MAX: usize = 200_000;
/// What a row has beside its path.
const ROW_BYTES: usize = 64;

/// The pages, from number 0; one that is empty, where there is no position.
pub(super) fn pages(rows: &[PositionRow]) -> Vec<Positions> {
    let mut pages = vec![Positions { page: 0, positions: Vec::new() }];
    let mut bytes = 0;
    for row in rows {
        let cost = ROW_BYTES + row.source.path.len();
        let number = pages.len() as u32;
        let Some(last) = pages.last_mut() else { return pages };
        let position = Position { source: row.source.clone(), offset: row.offset, tail_hash: row.tail_hash };
        if last.positions.len() >= POSITIONS_PAGE_MAX || (bytes + cost > PAGE_BYTES_MAX && bytes > 0) {
            bytes = cost;
            pages.push(Positions { page: number, positions: vec![position] });
        } else {
            bytes += cost;
            last.positions.push(position);
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use muster_common::wire::frame::{Frame, encode};
    use muster_common::wire::message::{Message, SourceId};

    use super::*;

    fn row(inode: u64, path: String) -> PositionRow {
        let source = SourceId { device: 1, inode, fingerprint: 2, fingerprint_bytes: 3, incarnation: 0, path };
        PositionRow { source, offset: 9, tail_hash: inode.wrapping_mul(0x9e37_79b9_7f4a_7c15), arrived_ms: 5 }
    }

    #[test]
    fn pages_are_bounded_by_rows_and_by_bytes_and_have_all_of_them_in_order() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut long = || std::iter::repeat_with(|| rng.alphanumeric()).take(4_000).collect::<String>();
        for (rows, expect) in [
            (Vec::new(), vec![0]),
            ((0..2_500).map(|inode| row(inode, "/a".to_owned())).collect(), vec![1_000, 1_000, 500]),
            ((0..100).map(|inode| row(inode, long())).collect::<Vec<_>>(), vec![49, 49, 2]),
        ] {
            let pages = pages(&rows);
            assert_eq!(pages.iter().map(|page| page.positions.len()).collect::<Vec<_>>(), expect);
            assert!(pages.iter().enumerate().all(|(number, page)| page.page as usize == number));
            let inodes: Vec<u64> = pages.iter().flat_map(|page| &page.positions).map(|one| one.source.inode).collect();
            assert_eq!(inodes, rows.iter().map(|row| row.source.inode).collect::<Vec<_>>());
            for page in pages {
                encode(&Frame::control(Message::Positions(page))).unwrap();
            }
        }
    }
}
