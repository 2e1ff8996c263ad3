//! What bincode's limit does not guard against must not be in the wire types: recursion and elements without a size.

use std::collections::{BTreeMap, BTreeSet};

/// Each wire type with the types it names, read from the source.
fn types() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut types = BTreeMap::new();
    let mut current = None;
    let lines = include_str!("../message.rs").lines().chain(include_str!("../orders.rs").lines());
    let lines = lines.chain(include_str!("../tasks.rs").lines());
    for line in lines.filter(|line| !line.trim_start().starts_with("//")) {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        if line.starts_with("pub struct ") || line.starts_with("pub enum ") {
            let name = words.nth(2).unwrap();
            let named: BTreeSet<_> = words.collect();
            types.insert(name, named);
            current = line.ends_with('{').then_some(name);
        } else if line == "}" {
            current = None;
        } else if let Some(name) = current {
            types.entry(name).or_default().extend(words);
        }
    }
    types
}

#[test]
fn no_wire_type_holds_itself_and_none_is_empty() {
    let types = types();
    assert!(types.len() > 35 && types["Welcome"].contains("Mark"), "the source is read right");
    for (name, first) in &types {
        assert!(!first.is_empty(), "{name} has no size: a list of it would be free");
        let (mut seen, mut open) = (BTreeSet::new(), first.clone());
        while let Some(next) = open.pop_first() {
            // `Message` names its structs as variants of the same names.
            if seen.insert(next) && *name != "Message" {
                assert_ne!(next, *name, "{name} holds itself: nothing bounds its depth");
                open.extend(types.get(next).into_iter().flatten());
            }
        }
    }
}

#[test]
fn the_page_names_every_kind_and_every_limit() {
    use crate::limits::{
        ANSWER_ROWS_MAX, ASK_FILTERS_MAX, BATCH_LINES_MAX, BATCH_REPORTS_MAX, BATCH_SCRAPES_MAX, BATCH_STREAMS_MAX,
        CONFIGURATION_BYTES_MAX, CONFIGURATION_PROBLEMS_MAX, CONTEXT_SERIES_MAX, CONTROL_DECODE_BYTES_MAX,
        CONTROL_PLAIN_BYTES_MAX, CSR_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX, INVENTORY_COLUMNS_MAX, INVENTORY_PARTS_MAX,
        INVENTORY_ROWS_MAX, INVENTORY_TABLES_MAX, INVENTORY_TEXT_BYTES_MAX, LOG_LINE_BYTES_MAX, LOOK_PROCESSES_MAX,
        ORDER_PLAIN_BYTES_MAX, POSITIONS_PAGE_MAX, PROBLEM_TEXT_BYTES_MAX, PROBLEMS_MAX, PROCESS_TEXT_BYTES_MAX,
        REPORT_TEXT_BYTES_MAX, TASK_APPROVALS_MAX, TASK_CATALOGUE_BYTES_MAX, TASK_CHUNK_BYTES_MAX, TASK_NAME_BYTES_MAX,
        TASK_ORDER_BYTES_MAX, TASK_PROOF_MAX, TASK_STEPS_MAX, TEXT_BYTES_MAX,
    };
    use crate::wire::kind::Sender;
    use crate::wire::message::FrameKind;
    let page = include_str!("../../../WIRE.md");
    for kind in FrameKind::ALL {
        let from = if kind.sender() == Sender::Agent { "A" } else { "C" };
        let row = format!("| `{:02x}` | {} | {from} |", kind.number(), kind.name());
        let heading = format!("\n### {:02x} {}\n", kind.number(), kind.name());
        assert!(page.contains(&row) && page.contains(&heading), "{row}");
    }
    let numbers = page.replace(',', "");
    for limit in [
        ANSWER_ROWS_MAX,
        ASK_FILTERS_MAX,
        BATCH_LINES_MAX,
        BATCH_REPORTS_MAX,
        BATCH_SCRAPES_MAX,
        BATCH_STREAMS_MAX,
        CONFIGURATION_BYTES_MAX,
        CONFIGURATION_PROBLEMS_MAX,
        CONTEXT_SERIES_MAX,
        CONTROL_DECODE_BYTES_MAX,
        CONTROL_PLAIN_BYTES_MAX,
        CSR_BYTES_MAX,
        FRAME_PAYLOAD_BYTES_MAX,
        INVENTORY_COLUMNS_MAX,
        INVENTORY_PARTS_MAX,
        INVENTORY_ROWS_MAX,
        INVENTORY_TABLES_MAX,
        INVENTORY_TEXT_BYTES_MAX,
        LOG_LINE_BYTES_MAX,
        LOOK_PROCESSES_MAX,
        ORDER_PLAIN_BYTES_MAX,
        POSITIONS_PAGE_MAX,
        PROBLEM_TEXT_BYTES_MAX,
        PROBLEMS_MAX,
        PROCESS_TEXT_BYTES_MAX,
        REPORT_TEXT_BYTES_MAX,
        TASK_APPROVALS_MAX,
        TASK_CATALOGUE_BYTES_MAX,
        TASK_CHUNK_BYTES_MAX,
        TASK_NAME_BYTES_MAX,
        TASK_ORDER_BYTES_MAX,
        TASK_PROOF_MAX,
        TASK_STEPS_MAX,
        TEXT_BYTES_MAX,
    ] {
        assert!(numbers.contains(&limit.to_string()), "limit {limit}");
    }
}
