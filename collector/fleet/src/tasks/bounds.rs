//! How much of everything there may be, each number with its reason.

/// Catalogues that are kept to be looked at: one a month for two years.
pub const TASK_CATALOGUES_KEPT: usize = 24;
/// Orders that are open at once: more nobody watches.
pub const TASK_ORDERS_OPEN_MAX: usize = 20;
/// Orders that are kept, the open ones among them; the oldest go.
pub const TASK_ORDERS_KEPT: usize = 500;
/// Hosts of all orders that are kept: they lie in memory, some 400 B each. The oldest orders go.
pub const TASK_HOSTS_KEPT: usize = 100_000;
/// Hosts of one order: a whole fleet.
pub const TASK_ORDER_HOSTS_MAX: usize = 10_000;
/// Output of one call that is kept: what a person reads of a command. The host keeps no more for good either.
pub const TASK_OUTPUT_KEPT_BYTES_MAX: u64 = 256 << 10;
/// Output of all calls that is kept: a thousand long ones. That of the oldest orders goes.
pub const TASK_OUTPUTS_BYTES_MAX: u64 = 256 << 20;
/// Words and chunks of hosts that wait for the next step, a second's: a chunk has 32 KiB.
pub(super) const QUEUE_MAX: usize = 20_000;
pub(super) const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Bytes of a reason that a person gives.
pub(super) const REASON_BYTES_MAX: usize = 1_024;
/// The longest that an order may be good for: hosts take none that is longer.
pub const TASK_WITHIN_MAX_MS: i64 = 7 * 24 * 3_600_000;
/// The longest soak and the longest way back of a host: half a day, within which somebody looks.
pub(super) const WAIT_MAX_MS: i64 = 12 * 3_600_000;
/// What a task may take beside its own limit: to begin, after others of the host, and to tell.
pub(super) const SLACK_MS: i64 = 300_000;
