//! Every bound that both ends share, each with its reason. Bounds of one crate alone stand in that crate.

/// A frame's compressed payload. Below redb's power-of-two trap (262,144 B) with room for keys and marks.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 250_000;
/// A frame's payload after decompression: what one zstd call may write, allocated only after this check.
pub const FRAME_PLAIN_BYTES_MAX: usize = 4 << 20;
/// What bincode may charge while decoding one payload. It charges decoded sizes, about three times the plain bytes.
pub const FRAME_DECODE_BYTES_MAX: usize = 12 << 20;
/// A control message's body: hello with 32 epochs has 2 KiB. Small, since enrol comes from strangers.
pub const CONTROL_PLAIN_BYTES_MAX: usize = 64 << 10;
/// What bincode may charge while decoding a control message.
pub const CONTROL_DECODE_BYTES_MAX: usize = 192 << 10;
/// A configuration or an answer: the largest bodies of the control stream that are no list of positions or problems. What they may hold together
/// with the names around it.
pub const ORDER_PLAIN_BYTES_MAX: usize = 320 << 10;
/// A configuration's document: 500 checks of some 300 B, and as much again.
pub const CONFIGURATION_BYTES_MAX: usize = 256 << 10;
/// Problems of one state of a configuration: 20 of three texts of 1 KiB stay below a control message.
pub const CONFIGURATION_PROBLEMS_MAX: usize = 20;
/// Conditions of one question.
pub const ASK_FILTERS_MAX: usize = 8;
/// Rows of one host's answer: more nobody looks through, and a narrower question gives the rest.
pub const ANSWER_ROWS_MAX: usize = 1_000;
/// Texts and numbers of one host's answer.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// A catalogue of tasks: 256 tasks of some 500 B, and as much again.
pub const TASK_CATALOGUE_BYTES_MAX: usize = 256 << 10;
/// Tasks of one catalogue: more nobody reviews before signing.
pub const TASK_CATALOGUE_TASKS_MAX: usize = 256;
/// Parameters of one task.
pub const TASK_PARAMETERS_MAX: usize = 16;
/// Words of one command, its program among them.
pub const TASK_ARGUMENTS_MAX: usize = 64;
/// A value of a parameter, or one word of a command as the catalogue writes it.
pub const TASK_VALUE_BYTES_MAX: usize = 1 << 10;
/// An order of a task with its parameters: 8 steps of 16 parameters of 250 B.
pub const TASK_ORDER_BYTES_MAX: usize = 32 << 10;
/// Steps of one order: the task, the one that takes it back, and those of a later version.
pub const TASK_STEPS_MAX: usize = 8;
/// Neighbours of one proof: two to the power of this many hosts.
pub const TASK_PROOF_MAX: usize = 32;
/// Approvals of one order: more people than any organisation asks.
pub const TASK_APPROVALS_MAX: usize = 8;
/// A person's name, of those who ask and of those who approve.
pub const TASK_NAME_BYTES_MAX: usize = 128;
/// Text of one chunk of output: with the fields around it a control message.
pub const TASK_CHUNK_BYTES_MAX: usize = 32 << 10;
/// Output of one call as it is kept, whatever its catalogue says: who needs more writes a file.
pub const TASK_OUTPUT_BYTES_MAX: usize = 4 << 20;
/// Chunks of all calls of a host that are under way and not acknowledged: 256 KiB fill no window, and are enough for a second of network.
pub const TASK_CHUNKS_UNDER_WAY_MAX: u32 = 8;
/// How long health may take to return after a task that its catalogue gives a maintenance: what is away for an hour after the work is what somebody must know.
pub const TASK_MAINTENANCE_MAX: std::time::Duration = std::time::Duration::from_secs(3_600);
/// Labels of one series or stream, host labels included.
pub const LABELS_MAX: usize = 64;
/// Bytes of a label's name.
pub const LABEL_NAME_BYTES_MAX: usize = 1 << 10;
/// Bytes of a label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 8 << 10;
/// Series of one context: a host with more is told so by a refusal that names the count.
pub const CONTEXT_SERIES_MAX: usize = 50_000;
/// Scrapes of one metric batch: 10 s of linger at one a second, with room.
pub const BATCH_SCRAPES_MAX: usize = 64;
/// Epochs that a hello may list. The agent joins older ones by a gap before it would pass this.
pub const HELLO_EPOCHS_MAX: usize = 32;
/// One log line; longer ones keep their head and are flagged.
pub const LOG_LINE_BYTES_MAX: usize = 256 << 10;
/// Reports of one p0 batch: what 1,000 checks tell in a few seconds.
pub const BATCH_REPORTS_MAX: usize = 4_096;
/// Output or perfdata of one check, text of one event: Nagios' own plugins stay below 8 KiB.
pub const REPORT_TEXT_BYTES_MAX: usize = 64 << 10;
/// Numbers of one check's output: each is a series.
pub const CHECK_PERFDATA_MAX: usize = 256;
/// Checks of one host: one a second at the default interval of 60 s would be 60.
pub const HOST_CHECKS_MAX: usize = 1_000;
/// Processes of one look: the first 20 by CPU, by memory and by what they read and write, all of them different.
pub const LOOK_PROCESSES_MAX: usize = 60;
/// Name, command or user of one process: a command with its arguments is cut there, so that a look stays below 50 kB.
pub const PROCESS_TEXT_BYTES_MAX: usize = 256;
/// Rows of one table of one host's inventory: the largest installations have some 8,000 packages.
pub const INVENTORY_ROWS_MAX: usize = 20_000;
/// One text of an inventory: the command line of a kernel, the members of a group. Longer ones are cut.
pub const INVENTORY_TEXT_BYTES_MAX: usize = 1 << 10;
/// Tables of one report of an inventory: three times those that there are.
pub const INVENTORY_TABLES_MAX: usize = 64;
/// Values of one row: the widest table has 9, and a later version adds some.
pub const INVENTORY_COLUMNS_MAX: usize = 64;
/// Parts of a table that no single report takes: 20,000 rows of a few long texts are some 20 of them.
pub const INVENTORY_PARTS_MAX: usize = 256;
/// Sources and label sets of one p2 batch.
pub const BATCH_STREAMS_MAX: usize = 4_096;
/// Lines of one label set in a p2 batch: 4 MiB of 40-byte lines.
pub const BATCH_LINES_MAX: usize = 100_000;
/// Positions of one page in the answer to hello: some 100 B each keeps a page below a payload.
pub const POSITIONS_PAGE_MAX: usize = 1_000;
/// Problems that a host may tell at once: beyond it their texts help nobody, and the frame stays below a payload of some hundred kB.
pub const PROBLEMS_MAX: usize = 1_000;
/// Place, message or remedy of one problem: a path and a sentence; 1,000 problems of three such texts stay below 4 MiB.
pub const PROBLEM_TEXT_BYTES_MAX: usize = 1 << 10;
/// Any other text of a message (versions, facts, reasons, paths): a path's own limit.
pub const TEXT_BYTES_MAX: usize = 4 << 10;
/// A certificate request: with a P-256 key it has some 300 B.
pub const CSR_BYTES_MAX: usize = 8 << 10;
/// Certificates of a chain: leaf, CA, and the overlap of a CA rotation.
pub const CHAIN_CERTIFICATES_MAX: usize = 8;
/// Extensions of one message.
pub const EXTENSIONS_MAX: usize = 16;
/// How far ahead of the collector's clock a sample's time may lie: beyond it a broken clock would own the future.
pub const FUTURE_MS_MAX: i64 = 10 * 60 * 1000;
/// Bytes of a host's registered name: DNS' own limit.
pub const HOST_NAME_BYTES_MAX: usize = 253;

const _: () = assert!(FRAME_PAYLOAD_BYTES_MAX < 262_144 - 4_096);
const _: () = assert!(3 * PROBLEMS_MAX * PROBLEM_TEXT_BYTES_MAX < FRAME_PLAIN_BYTES_MAX);
const _: () = assert!(CONFIGURATION_BYTES_MAX < ORDER_PLAIN_BYTES_MAX && ANSWER_BYTES_MAX < ORDER_PLAIN_BYTES_MAX);
const _: () =
    assert!(TASK_CATALOGUE_BYTES_MAX < ORDER_PLAIN_BYTES_MAX && TASK_CHUNK_BYTES_MAX < CONTROL_PLAIN_BYTES_MAX);
const _: () = assert!(
    TASK_ORDER_BYTES_MAX + TASK_PROOF_MAX * 33 + TASK_APPROVALS_MAX * (TASK_NAME_BYTES_MAX + 67)
        < CONTROL_PLAIN_BYTES_MAX
);
const _: () = assert!(3 * CONFIGURATION_PROBLEMS_MAX * PROBLEM_TEXT_BYTES_MAX < CONTROL_PLAIN_BYTES_MAX);
const _: () = assert!(CONTROL_DECODE_BYTES_MAX >= 3 * CONTROL_PLAIN_BYTES_MAX);
const _: () = assert!(FRAME_DECODE_BYTES_MAX >= 3 * FRAME_PLAIN_BYTES_MAX);
const _: () = assert!(LABEL_VALUE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(LABEL_NAME_BYTES_MAX <= LABEL_VALUE_BYTES_MAX);
