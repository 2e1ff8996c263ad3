//! What a decoded message must also keep to: the lengths of its lists and texts, and what its fields say of each other.
//!
//! Run on both ends, so that nothing is sent that would be refused. Labels of single series and times of single samples are
//! ingest's to judge: there one of them is dropped and counted, here the whole frame is refused.

mod tasks;

use super::error::ContentError;
use super::inventory::{InventoryReport, InventoryWord, Row, TableReport, Value};
use super::message::{
    Answer, Ask, CheckDefinition, Configuration, ConfigurationState, Context, Enrol, Extension, Gap, Hello, HostFacts,
    InventoryWanted, Lane, LogBatch, Message, MetricBatch, Perfdata, Positions, Problem, Problems, ProcessLook,
    Refused, Report, ReportBatch, SourceId, SourceRange, Welcome,
};
use super::metrics::{SCALE_MAX, SCALE_RAW};
use crate::check::CheckKind;
use crate::limits::{
    ANSWER_ROWS_MAX, ASK_FILTERS_MAX, BATCH_LINES_MAX, BATCH_REPORTS_MAX, BATCH_SCRAPES_MAX, BATCH_STREAMS_MAX,
    CHAIN_CERTIFICATES_MAX, CHECK_PERFDATA_MAX, CONFIGURATION_BYTES_MAX, CONFIGURATION_PROBLEMS_MAX,
    CONTEXT_SERIES_MAX, CSR_BYTES_MAX, EXTENSIONS_MAX, HELLO_EPOCHS_MAX, HOST_CHECKS_MAX, HOST_NAME_BYTES_MAX,
    INVENTORY_COLUMNS_MAX, INVENTORY_PARTS_MAX, INVENTORY_ROWS_MAX, INVENTORY_TABLES_MAX, INVENTORY_TEXT_BYTES_MAX,
    LABEL_NAME_BYTES_MAX, LABELS_MAX, LOG_LINE_BYTES_MAX, LOOK_PROCESSES_MAX, POSITIONS_PAGE_MAX,
    PROBLEM_TEXT_BYTES_MAX, PROBLEMS_MAX, PROCESS_TEXT_BYTES_MAX, REPORT_TEXT_BYTES_MAX, TEXT_BYTES_MAX,
};

const SPLIT: &str = "send it as several frames";
const SHORTEN: &str = "shorten it";
const FAULT: &str = "this is a fault of the sender, upgrade it";

/// Whether this message, in a frame of this seq, keeps to its rules.
///
/// # Errors
/// [`ContentError::Invalid`] with the first field that does not.
pub(super) fn check(seq: u64, message: &Message) -> Result<(), ContentError> {
    match message {
        Message::Hello(hello) => check_hello(hello),
        Message::Enrol(enrol) => check_enrol(enrol),
        Message::Renew(renew) => at_most("csr_der", renew.csr_der.len(), CSR_BYTES_MAX, SHORTEN),
        Message::Welcome(welcome) => check_welcome(welcome),
        Message::Enrolled(enrolled) => {
            at_most("name", enrolled.name.len(), HOST_NAME_BYTES_MAX, SHORTEN)?;
            check_chain(&enrolled.chain_der)
        }
        Message::Renewed(renewed) => check_chain(&renewed.chain_der),
        Message::CollectorGoodbye(goodbye) => at_most("reason", goodbye.reason.len(), TEXT_BYTES_MAX, SHORTEN),
        Message::Refused(refused) => check_refused(refused),
        Message::Problems(problems) => check_problems(problems),
        Message::Positions(positions) => check_positions(positions),
        Message::InventoryWanted(wanted) => check_wanted(wanted),
        Message::Configuration(configuration) => check_configuration(configuration),
        Message::ConfigurationState(state) => check_configuration_state(state),
        Message::Ask(ask) => check_ask(ask),
        Message::Answer(answer) => check_answer(answer),
        Message::TaskCatalogue(catalogue) => tasks::check_catalogue(catalogue),
        Message::Task(task) => tasks::check_task(task),
        Message::TaskCancel(cancel) => tasks::check_cancel(cancel),
        Message::TaskAck(ack) => check_extensions(&ack.extensions),
        Message::TaskState(state) => tasks::check_state(state),
        Message::TaskOutput(output) => tasks::check_output(output),
        Message::Context(context) => check_context(context),
        Message::Metrics(batch) => check_metrics(batch),
        Message::Reports(batch) => check_reports(batch),
        Message::Logs(batch) => check_logs(batch),
        Message::Gap(gap) => check_gap(seq, gap),
        Message::AgentGoodbye(_)
        | Message::ClockProbe(_)
        | Message::ClockAnswer(_)
        | Message::Ack(_)
        | Message::Throttle(_)
        | Message::NeedContext(_) => Ok(()),
    }
}

fn invalid(place: impl Into<String>, problem: String, remedy: &'static str) -> ContentError {
    ContentError::Invalid { place: place.into(), problem, remedy }
}

fn at_most(place: &str, found: usize, max: usize, remedy: &'static str) -> Result<(), ContentError> {
    if found > max {
        return Err(invalid(place, format!("length {found}, but at most {max} is allowed"), remedy));
    }
    Ok(())
}

/// The same of a part of a place: its name is put together only where it is told, since large tables have many rows.
fn at_most_of(place: &str, part: &str, found: usize, max: usize, remedy: &'static str) -> Result<(), ContentError> {
    if found > max { at_most(&format!("{place}: {part}"), found, max, remedy) } else { Ok(()) }
}

fn check_extensions(extensions: &[Extension]) -> Result<(), ContentError> {
    at_most("extensions", extensions.len(), EXTENSIONS_MAX, FAULT)
}

fn check_facts(facts: &HostFacts) -> Result<(), ContentError> {
    for (place, text) in [
        ("facts.host_name", &facts.host_name),
        ("facts.machine_id", &facts.machine_id),
        ("facts.os", &facts.os),
        ("facts.kernel", &facts.kernel),
        ("facts.architecture", &facts.architecture),
        ("facts.virtualisation", &facts.virtualisation),
    ] {
        at_most(place, text.len(), TEXT_BYTES_MAX, SHORTEN)?;
    }
    Ok(())
}

fn check_hello(hello: &Hello) -> Result<(), ContentError> {
    at_most("agent_version", hello.agent_version.len(), TEXT_BYTES_MAX, SHORTEN)?;
    check_facts(&hello.facts)?;
    at_most("epochs", hello.epochs.len(), HELLO_EPOCHS_MAX, "join the oldest by a gap before saying hello")?;
    for (index, held) in hello.epochs.iter().enumerate() {
        if hello.epochs[..index].iter().any(|other| other.epoch == held.epoch) {
            return Err(invalid(format!("epochs[{index}]"), "it is listed twice".to_owned(), FAULT));
        }
    }
    check_extensions(&hello.extensions)
}

fn check_enrol(enrol: &Enrol) -> Result<(), ContentError> {
    at_most("token", enrol.token.len(), TEXT_BYTES_MAX, "copy the token word as it was printed")?;
    at_most("csr_der", enrol.csr_der.len(), CSR_BYTES_MAX, SHORTEN)?;
    at_most("name", enrol.name.len(), HOST_NAME_BYTES_MAX, "choose a shorter name with --name")?;
    check_facts(&enrol.facts)
}

fn check_welcome(welcome: &Welcome) -> Result<(), ContentError> {
    at_most("host_name", welcome.host_name.len(), HOST_NAME_BYTES_MAX, SHORTEN)?;
    at_most("marks", welcome.marks.len(), HELLO_EPOCHS_MAX * Lane::ALL.len(), FAULT)?;
    if welcome.lanes >= 1 << Lane::ALL.len() {
        return Err(invalid("lanes", format!("0x{:02x} names a lane that does not exist", welcome.lanes), FAULT));
    }
    check_extensions(&welcome.extensions)
}

fn check_chain(chain: &[Vec<u8>]) -> Result<(), ContentError> {
    at_most("chain_der", chain.len(), CHAIN_CERTIFICATES_MAX, FAULT)?;
    if chain.is_empty() || chain.iter().any(Vec::is_empty) {
        return Err(invalid("chain_der", "a certificate is missing".to_owned(), FAULT));
    }
    Ok(())
}

fn check_refused(refused: &Refused) -> Result<(), ContentError> {
    at_most("message", refused.message.len(), TEXT_BYTES_MAX, SHORTEN)?;
    at_most("remedy", refused.remedy.len(), TEXT_BYTES_MAX, SHORTEN)
}

fn check_source(place: &str, source: &SourceId) -> Result<(), ContentError> {
    at_most(place, source.path.len(), TEXT_BYTES_MAX, SHORTEN)
}

fn check_problems(problems: &Problems) -> Result<(), ContentError> {
    check_problem_list(&problems.problems, PROBLEMS_MAX)?;
    check_extensions(&problems.extensions)
}

fn check_problem_list(problems: &[Problem], max: usize) -> Result<(), ContentError> {
    at_most("problems", problems.len(), max, "tell the first ones and how many there are")?;
    for problem in problems {
        at_most("problems: place", problem.place.len(), PROBLEM_TEXT_BYTES_MAX, SHORTEN)?;
        at_most("problems: message", problem.message.len(), PROBLEM_TEXT_BYTES_MAX, SHORTEN)?;
        at_most("problems: remedy", problem.remedy.len(), PROBLEM_TEXT_BYTES_MAX, SHORTEN)?;
    }
    Ok(())
}

fn check_positions(positions: &Positions) -> Result<(), ContentError> {
    at_most("positions", positions.positions.len(), POSITIONS_PAGE_MAX, "send more pages")?;
    positions.positions.iter().try_for_each(|one| check_source("positions: path", &one.source))
}

fn check_context(context: &Context) -> Result<(), ContentError> {
    let series = context.series.len();
    at_most("series", series, CONTEXT_SERIES_MAX, "spread them over several contexts, or drop sources")?;
    if context.row.len() != series {
        let problem = format!("{} values for {series} series", context.row.len());
        return Err(invalid("row", problem, FAULT));
    }
    for (index, entry) in context.series.iter().enumerate() {
        if entry.scale > SCALE_MAX && entry.scale != SCALE_RAW {
            let problem = format!("scale {} is neither 0 to {SCALE_MAX} nor {SCALE_RAW}", entry.scale);
            return Err(invalid(format!("series[{index}]"), problem, FAULT));
        }
    }
    check_extensions(&context.extensions)
}

fn check_metrics(batch: &MetricBatch) -> Result<(), ContentError> {
    at_most("scrapes", batch.scrapes.len(), BATCH_SCRAPES_MAX, SPLIT)?;
    for (index, scrape) in batch.scrapes.iter().enumerate() {
        let place = || format!("scrapes[{index}]");
        let bitmap = scrape.present.len();
        if bitmap > CONTEXT_SERIES_MAX.div_ceil(8) || scrape.differs.len() != bitmap {
            let problem = format!("bitmaps of {bitmap} and {} bytes fit no context", scrape.differs.len());
            return Err(invalid(place(), problem, FAULT));
        }
        if scrape.raw.len() > scrape.changes.len() {
            let problem = format!("{} raw values for {} bytes of changes", scrape.raw.len(), scrape.changes.len());
            return Err(invalid(place(), problem, FAULT));
        }
    }
    check_extensions(&batch.extensions)
}

fn check_reports(batch: &ReportBatch) -> Result<(), ContentError> {
    at_most("reports", batch.reports.len(), BATCH_REPORTS_MAX, SPLIT)?;
    for (index, report) in batch.reports.iter().enumerate() {
        check_report(report).map_err(|error| match error {
            ContentError::Invalid { place, problem, remedy } => {
                invalid(format!("reports[{index}].{place}"), problem, remedy)
            }
            other => other,
        })?;
    }
    check_extensions(&batch.extensions)
}

/// Whether one report keeps to its rules.
///
/// # Errors
/// As [`check`].
pub(super) fn check_report(report: &Report) -> Result<(), ContentError> {
    match report {
        Report::Check(check) => {
            at_most("check", check.check.len(), TEXT_BYTES_MAX, SHORTEN)?;
            at_most("output", check.output.len(), REPORT_TEXT_BYTES_MAX, SHORTEN)?;
            at_most("long_output", check.long_output.len(), REPORT_TEXT_BYTES_MAX, SHORTEN)?;
            if check.state > 3 {
                return Err(invalid("state", format!("{} is none of 0 to 3", check.state), FAULT));
            }
            check_perfdata(&check.perfdata)?;
            check_definition(&check.definition)
        }
        Report::Checks(list) => {
            at_most("checks", list.checks.len(), HOST_CHECKS_MAX, "configure fewer checks")?;
            list.checks.iter().try_for_each(|name| at_most("checks: name", name.len(), TEXT_BYTES_MAX, SHORTEN))
        }
        Report::Event(event) => {
            at_most("kind", event.kind.len(), TEXT_BYTES_MAX, SHORTEN)?;
            at_most("text", event.text.len(), REPORT_TEXT_BYTES_MAX, SHORTEN)?;
            at_most("fields", event.fields.len(), LABELS_MAX, "send fewer fields")
        }
        Report::Processes(look) => check_look(look),
        Report::Inventory(report) => check_inventory(report),
    }
}

fn check_configuration(configuration: &Configuration) -> Result<(), ContentError> {
    at_most("document", configuration.document.len(), CONFIGURATION_BYTES_MAX, "leave profiles out")?;
    if configuration.digest != Configuration::digest_of(&configuration.document) {
        return Err(invalid("digest", "it is not that of the document".to_owned(), FAULT));
    }
    check_extensions(&configuration.extensions)
}

fn check_configuration_state(state: &ConfigurationState) -> Result<(), ContentError> {
    check_problem_list(&state.problems, CONFIGURATION_PROBLEMS_MAX)?;
    check_extensions(&state.extensions)
}

/// Which tables, columns and tests there are is the host's to say.
fn check_ask(ask: &Ask) -> Result<(), ContentError> {
    at_most("table", ask.table.len(), INVENTORY_TEXT_BYTES_MAX, SHORTEN)?;
    check_columns(&ask.columns)?;
    at_most("filters", ask.filters.len(), ASK_FILTERS_MAX, "ask with fewer conditions")?;
    for filter in &ask.filters {
        at_most("filters: column", filter.column.len(), INVENTORY_TEXT_BYTES_MAX, SHORTEN)?;
        if let Value::Text(text) = &filter.value {
            at_most("filters: value", text.len(), INVENTORY_TEXT_BYTES_MAX, SHORTEN)?;
        }
    }
    check_extensions(&ask.extensions)
}

fn check_answer(answer: &Answer) -> Result<(), ContentError> {
    check_columns(&answer.columns)?;
    at_most("rows", answer.rows.len(), ANSWER_ROWS_MAX, "leave rows out and count them")?;
    check_rows("rows", &answer.rows)?;
    at_most("problem", answer.problem.len(), PROBLEM_TEXT_BYTES_MAX, SHORTEN)?;
    check_extensions(&answer.extensions)
}

fn check_columns(columns: &[String]) -> Result<(), ContentError> {
    at_most("columns", columns.len(), INVENTORY_COLUMNS_MAX, "name fewer columns")?;
    columns.iter().try_for_each(|name| at_most("columns: name", name.len(), INVENTORY_TEXT_BYTES_MAX, SHORTEN))
}

fn check_wanted(wanted: &InventoryWanted) -> Result<(), ContentError> {
    at_most("tables", wanted.tables.len(), INVENTORY_TABLES_MAX, FAULT)?;
    check_extensions(&wanted.extensions)
}

/// Tables and columns of a later version are none of its business: whoever reads them passes them over.
fn check_inventory(report: &InventoryReport) -> Result<(), ContentError> {
    at_most("tables", report.tables.len(), INVENTORY_TABLES_MAX, SPLIT)?;
    for (index, table) in report.tables.iter().enumerate() {
        let place = format!("tables[{index}]");
        let is_part = |table: &TableReport| matches!(table.word, InventoryWord::Whole { .. });
        let told = report.tables[..index].iter().find(|other| other.table == table.table);
        if told.is_some_and(|told| !is_part(told) || !is_part(table)) {
            return Err(invalid(place, format!("table {} is told twice", table.table), FAULT));
        }
        match &table.word {
            InventoryWord::Unchanged => {}
            InventoryWord::Failed { problem } => {
                at_most(&format!("{place}.problem"), problem.len(), INVENTORY_TEXT_BYTES_MAX, SHORTEN)?;
            }
            InventoryWord::Changed { gone, now, .. } => {
                check_rows(&format!("{place}.gone"), gone)?;
                check_rows(&format!("{place}.now"), now)?;
            }
            InventoryWord::Whole { part, parts, rows } => {
                at_most(&format!("{place}.parts"), usize::from(*parts), INVENTORY_PARTS_MAX, "tell fewer rows")?;
                if part >= parts {
                    let problem = format!("part {part} of {parts}, counted from 0");
                    return Err(invalid(format!("{place}.part"), problem, FAULT));
                }
                check_rows(&format!("{place}.rows"), rows)?;
            }
        }
    }
    check_extensions(&report.extensions)
}

fn check_rows(place: &str, rows: &[Row]) -> Result<(), ContentError> {
    at_most(place, rows.len(), INVENTORY_ROWS_MAX, "leave rows out and count them")?;
    for row in rows {
        at_most_of(place, "row", row.len(), INVENTORY_COLUMNS_MAX, FAULT)?;
        for value in row {
            if let Value::Text(text) = value {
                at_most_of(place, "text", text.len(), INVENTORY_TEXT_BYTES_MAX, SHORTEN)?;
            }
        }
    }
    Ok(())
}

fn check_look(look: &ProcessLook) -> Result<(), ContentError> {
    at_most("processes", look.processes.len(), LOOK_PROCESSES_MAX, "set a smaller `processes.top`")?;
    for process in &look.processes {
        for text in [&process.name, &process.command, &process.user] {
            at_most("processes: text", text.len(), PROCESS_TEXT_BYTES_MAX, SHORTEN)?;
        }
        if !process.state.is_ascii_alphabetic() {
            return Err(invalid("processes: state", format!("{} is no letter", process.state), FAULT));
        }
    }
    check_extensions(&look.extensions)
}

fn check_perfdata(perfdata: &[Perfdata]) -> Result<(), ContentError> {
    at_most("perfdata", perfdata.len(), CHECK_PERFDATA_MAX, "write fewer numbers")?;
    for one in perfdata {
        for text in [&one.label, &one.unit, &one.warn, &one.crit] {
            at_most("perfdata: text", text.len(), LABEL_NAME_BYTES_MAX, SHORTEN)?;
        }
    }
    Ok(())
}

fn check_definition(definition: &CheckDefinition) -> Result<(), ContentError> {
    if CheckKind::from_u8(definition.kind).is_none() {
        return Err(invalid("definition.kind", format!("{} is no kind of check", definition.kind), FAULT));
    }
    if definition.max_attempts == 0 {
        return Err(invalid("definition.max_attempts", "0 attempts make no problem hard".to_owned(), FAULT));
    }
    at_most("definition.parents", definition.parents.len(), LABELS_MAX, "name fewer parents")?;
    for parent in &definition.parents {
        at_most("definition.parents: name", parent.len(), TEXT_BYTES_MAX, SHORTEN)?;
    }
    at_most("definition.labels", definition.labels.len(), LABELS_MAX, "send fewer labels")?;
    at_most("definition.remedy", definition.remedy.len(), TEXT_BYTES_MAX, SHORTEN)
}

/// Whether the ranges of a batch of lines keep to their rules.
///
/// # Errors
/// As [`check`].
pub(super) fn check_ranges(ranges: &[SourceRange]) -> Result<(), ContentError> {
    at_most("ranges", ranges.len(), BATCH_STREAMS_MAX, SPLIT)?;
    for range in ranges {
        check_source("ranges: path", &range.source)?;
        at_most("ranges: skipped", range.skipped.len(), TEXT_BYTES_MAX, SHORTEN)?;
        if range.from > range.to {
            let problem = format!("from {} is after to {}", range.from, range.to);
            return Err(invalid("ranges", problem, FAULT));
        }
    }
    Ok(())
}

fn check_logs(batch: &LogBatch) -> Result<(), ContentError> {
    check_ranges(&batch.ranges)?;
    at_most("streams", batch.streams.len(), BATCH_STREAMS_MAX, SPLIT)?;
    for stream in &batch.streams {
        at_most("streams: labels", stream.labels.len(), LABELS_MAX, "send fewer labels")?;
        at_most("streams: lines", stream.lines.len(), BATCH_LINES_MAX, SPLIT)?;
        for line in &stream.lines {
            at_most("streams: line", line.line.len(), LOG_LINE_BYTES_MAX, "keep the line's head and flag it")?;
            at_most("streams: fields", line.fields.len(), LABELS_MAX, "send fewer fields")?;
        }
    }
    check_extensions(&batch.extensions)
}

fn check_gap(seq: u64, gap: &Gap) -> Result<(), ContentError> {
    if gap.to < seq {
        return Err(invalid("to", format!("{} is before the frame's seq {seq}", gap.to), FAULT));
    }
    Ok(())
}
