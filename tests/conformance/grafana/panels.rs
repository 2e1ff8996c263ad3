//! Node Exporter Full (Grafana's dashboard 1860, revision of April 2026) as shapes of questions: which metric is asked how, by which variables.
//! Its 293 expressions use 229 names. The shapes are our own; each name stands in as many of them as it has expressions there, but for
//! `node_uname_info`, of which the variables are made.

/// How a metric alone is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Value,
    PerSecond,
    /// The same below zero: what goes out, in the picture of what comes in.
    Down,
}
use Shape::{Down, PerSecond, Value};

/// Panel, shape, metrics with spaces between them.
#[rustfmt::skip]
pub(super) const SINGLE: &[(&str, Shape, &str)] = &[
    ("One by one", Value, "node_arp_entries node_cpu_scaling_frequency_hertz node_entropy_available_bits node_entropy_pool_size_bits node_filefd_allocated \
        node_filefd_maximum node_kernel_hung_tasks node_power_supply_online node_procs_blocked node_procs_running \
        node_textfile_scrape_error"),
    ("One by one", PerSecond, "node_context_switches_total node_forks_total node_interrupts_total node_intr_total node_schedstat_running_seconds_total"),
    ("Cooling", Value, "node_cooling_device_cur_state node_cooling_device_max_state"),
    ("Disks in detail", PerSecond, "node_disk_discard_time_seconds_total node_disk_discarded_sectors_total node_disk_discards_completed_total \
        node_disk_discards_merged_total node_disk_flush_requests_time_seconds_total node_disk_flush_requests_total \
        node_disk_io_time_weighted_seconds_total node_disk_reads_merged_total node_disk_io_time_seconds_total node_disk_read_bytes_total \
        node_disk_reads_completed_total"),
    ("Disks in detail", Value, "node_disk_io_now"),
    ("Disks in detail", Down, "node_disk_writes_merged_total node_disk_writes_completed_total node_disk_written_bytes_total"),
    ("File systems in detail", Value, "node_filesystem_device_error node_filesystem_files node_filesystem_files_free node_filesystem_free_bytes node_filesystem_readonly \
        node_filesystem_avail_bytes node_filesystem_size_bytes"),
    ("Memory in detail", Value, "node_memory_Active_anon_bytes node_memory_Active_bytes node_memory_Active_file_bytes node_memory_AnonHugePages_bytes \
        node_memory_AnonPages_bytes node_memory_CommitLimit_bytes node_memory_Committed_AS_bytes node_memory_DirectMap1G_bytes \
        node_memory_DirectMap2M_bytes node_memory_DirectMap4k_bytes node_memory_Dirty_bytes node_memory_HardwareCorrupted_bytes \
        node_memory_Inactive_anon_bytes node_memory_Inactive_bytes node_memory_Inactive_file_bytes node_memory_KernelStack_bytes \
        node_memory_Mapped_bytes node_memory_Mlocked_bytes node_memory_NFS_Unstable_bytes node_memory_Percpu_bytes \
        node_memory_SUnreclaim_bytes node_memory_ShmemHugePages_bytes node_memory_ShmemPmdMapped_bytes node_memory_Shmem_bytes \
        node_memory_Unevictable_bytes node_memory_VmallocChunk_bytes node_memory_VmallocTotal_bytes node_memory_VmallocUsed_bytes \
        node_memory_WritebackTmp_bytes node_memory_Writeback_bytes node_memory_Zswap_bytes node_memory_Zswapped_bytes \
        node_memory_Buffers_bytes node_memory_Cached_bytes node_memory_PageTables_bytes node_memory_SwapCached_bytes node_memory_Slab_bytes \
        node_memory_SReclaimable_bytes node_memory_MemTotal_bytes"),
    ("Protocols", PerSecond, "node_netstat_Icmp_InErrors node_netstat_Icmp_InMsgs node_netstat_IpExt_InOctets node_netstat_TcpExt_ListenDrops \
        node_netstat_TcpExt_ListenOverflows node_netstat_TcpExt_SyncookiesFailed node_netstat_TcpExt_SyncookiesRecv \
        node_netstat_TcpExt_SyncookiesSent node_netstat_TcpExt_TCPOFOQueue node_netstat_TcpExt_TCPRcvQDrop \
        node_netstat_TcpExt_TCPSynRetrans node_netstat_TcpExt_TCPTimeouts node_netstat_Tcp_ActiveOpens node_netstat_Tcp_InErrs \
        node_netstat_Tcp_InSegs node_netstat_Tcp_OutRsts node_netstat_Tcp_PassiveOpens node_netstat_Tcp_RetransSegs \
        node_netstat_UdpLite_InErrors node_netstat_Udp_InDatagrams node_netstat_Udp_InErrors node_netstat_Udp_NoPorts \
        node_netstat_Udp_RcvbufErrors node_netstat_Udp_SndbufErrors"),
    ("Protocols", Down, "node_netstat_Icmp_OutMsgs node_netstat_IpExt_OutOctets node_netstat_Tcp_OutSegs node_netstat_Udp_OutDatagrams"),
    ("Protocols", Value, "node_netstat_Tcp_CurrEstab node_netstat_Tcp_MaxConn"),
    ("Interfaces", Value, "node_network_carrier node_network_mtu_bytes node_network_up"),
    ("Interfaces", PerSecond, "node_network_receive_compressed_total node_network_receive_drop_total node_network_receive_errs_total \
        node_network_receive_fifo_total node_network_receive_frame_total node_network_receive_multicast_total \
        node_network_receive_nohandler_total node_network_receive_packets_total"),
    ("Interfaces", Down, "node_network_transmit_carrier_total node_network_transmit_colls_total node_network_transmit_compressed_total \
        node_network_transmit_drop_total node_network_transmit_errs_total node_network_transmit_fifo_total \
        node_network_transmit_packets_total"),
    ("Tracked connections", Value, "node_nf_conntrack_entries node_nf_conntrack_entries_limit"),
    ("Pressure", PerSecond, "node_pressure_io_stalled_seconds_total node_pressure_memory_stalled_seconds_total node_pressure_cpu_waiting_seconds_total \
        node_pressure_io_waiting_seconds_total node_pressure_irq_stalled_seconds_total node_pressure_memory_waiting_seconds_total"),
    ("Processes", Value, "node_processes_max_processes node_processes_max_threads node_processes_pids node_processes_state node_processes_threads"),
    ("Sources", Value, "node_scrape_collector_duration_seconds node_scrape_collector_success"),
    ("Sockets", Value, "node_sockstat_FRAG_inuse node_sockstat_FRAG_memory node_sockstat_RAW_inuse node_sockstat_TCP_alloc node_sockstat_TCP_inuse \
        node_sockstat_TCP_mem node_sockstat_TCP_mem_bytes node_sockstat_TCP_orphan node_sockstat_TCP_tw node_sockstat_UDPLITE_inuse \
        node_sockstat_UDP_inuse node_sockstat_UDP_mem node_sockstat_UDP_mem_bytes node_sockstat_sockets_used node_sockstat_TCP_inuse \
        node_sockstat_TCP_mem_bytes node_sockstat_UDP_inuse node_sockstat_UDP_mem_bytes"),
    ("Soft interrupts of the network", PerSecond, "node_softnet_dropped_total node_softnet_flow_limit_count_total node_softnet_processed_total node_softnet_received_rps_total \
        node_softnet_times_squeezed_total"),
    ("Systemd sockets", Value, "node_systemd_socket_current_connections"),
    ("Clock", Value, "node_timex_estimated_error_seconds node_timex_frequency_adjustment_ratio node_timex_loop_time_constant node_timex_maxerror_seconds \
        node_timex_offset_seconds node_timex_pps_frequency_hertz node_timex_pps_jitter_seconds node_timex_pps_shift_seconds \
        node_timex_pps_stability_hertz node_timex_sync_status node_timex_tai_offset_seconds node_timex_tick_seconds"),
    ("Clock", PerSecond, "node_timex_pps_calibration_total node_timex_pps_error_total node_timex_pps_jitter_total node_timex_pps_stability_exceeded_total"),
    ("Virtual memory", PerSecond, "node_vmstat_oom_kill node_vmstat_pgpgin node_vmstat_pswpin node_vmstat_pgfault node_vmstat_pgmajfault"),
    ("Virtual memory", Down, "node_vmstat_pgpgout node_vmstat_pswpout"),
    ("The agent itself", PerSecond, "process_cpu_seconds_total"),
    ("The agent itself", Value, "process_max_fds process_open_fds process_virtual_memory_bytes process_virtual_memory_max_bytes"),
];

/// Panel and expressions that join metrics or filter them. `$S`: the host by `instance` and `job`, `$I`: by `instance` alone, `$R`: the data
/// source's interval of rates, `$D`: the dashboard's pattern of disks.
#[rustfmt::skip]
pub(super) const JOINED: &[(&str, &[&str])] = &[
    ("Quick look", &[
        "irate(node_pressure_cpu_waiting_seconds_total{$S}[$R])",
        "irate(node_pressure_memory_waiting_seconds_total{$S}[$R])",
        "irate(node_pressure_io_waiting_seconds_total{$S}[$R])",
        "irate(node_pressure_irq_stalled_seconds_total{$S}[$R])",
        r#"(1 - avg(rate(node_cpu_seconds_total{mode="idle",$I}[$R]))) * 100"#,
        "scalar(node_load1{$S}) / count(count by (cpu) (node_cpu_seconds_total{$S})) * 100",
        "(1 - node_memory_MemAvailable_bytes{$S} / node_memory_MemTotal_bytes{$S}) * 100",
        "(node_memory_MemTotal_bytes{$S} - node_memory_MemFree_bytes{$S}) / node_memory_MemTotal_bytes{$S} * 100",
        "(node_memory_SwapTotal_bytes{$S} - node_memory_SwapFree_bytes{$S}) / node_memory_SwapTotal_bytes{$S} * 100",
        r#"(1 - node_filesystem_avail_bytes{$S,mountpoint="/",fstype!="rootfs"} / node_filesystem_size_bytes{$S,mountpoint="/",fstype!="rootfs"}) * 100"#,
        "count(count by (cpu) (node_cpu_seconds_total{$S}))",
        "node_memory_MemTotal_bytes{$S}",
        "node_memory_SwapTotal_bytes{$S}",
        r#"node_filesystem_size_bytes{$S,mountpoint="/",fstype!="rootfs"}"#,
        "node_time_seconds{$S} - node_boot_time_seconds{$S}",
    ]),
    ("CPU, memory, network, disks at a glance", &[
        r#"sum(irate(node_cpu_seconds_total{$S,mode="system"}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{$S,mode="user"}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{$S,mode="iowait"}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{$S,mode=~".*irq"}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{$S,mode!~"idle|user|system|iowait|irq|softirq"}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{$S,mode="idle"}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        "node_memory_MemTotal_bytes{$S}",
        "node_memory_MemTotal_bytes{$S} - node_memory_MemFree_bytes{$S} - (node_memory_Cached_bytes{$S} + node_memory_Buffers_bytes{$S} + node_memory_SReclaimable_bytes{$S})",
        "node_memory_Cached_bytes{$S} + node_memory_Buffers_bytes{$S} + node_memory_SReclaimable_bytes{$S}",
        "node_memory_MemFree_bytes{$S}",
        "node_memory_SwapTotal_bytes{$S} - node_memory_SwapFree_bytes{$S}",
        "rate(node_network_receive_bytes_total{$S}[$R]) * 8",
        "rate(node_network_transmit_bytes_total{$S}[$R]) * 8",
        r#"100 - node_filesystem_avail_bytes{$S,device!~"rootfs"} * 100 / node_filesystem_size_bytes{$S,device!~"rootfs"}"#,
    ]),
    ("CPU by mode", &[
        r#"sum(irate(node_cpu_seconds_total{mode="system",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="user",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="nice",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="iowait",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="irq",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="softirq",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="steal",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum(irate(node_cpu_seconds_total{mode="idle",$S}[$R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$S})))"#,
        r#"sum by (instance) (irate(node_cpu_guest_seconds_total{$S,mode="user"}[$R])) / on (instance) group_left () sum by (instance) (irate(node_cpu_seconds_total{$S}[$R]))"#,
    ]),
    ("Memory stacked", &[
        "node_memory_MemTotal_bytes{$S} - node_memory_MemFree_bytes{$S} - node_memory_Buffers_bytes{$S} - node_memory_Cached_bytes{$S} - node_memory_Slab_bytes{$S} - node_memory_PageTables_bytes{$S} - node_memory_SwapCached_bytes{$S}",
        "node_memory_SwapTotal_bytes{$S} - node_memory_SwapFree_bytes{$S} > bool 0",
    ]),
    ("Huge pages", &[
        "(node_memory_HugePages_Total{$S} - node_memory_HugePages_Free{$S}) * node_memory_Hugepagesize_bytes{$S}",
        "node_memory_HugePages_Rsvd{$S} * node_memory_Hugepagesize_bytes{$S}",
        "node_memory_HugePages_Surp{$S} * node_memory_Hugepagesize_bytes{$S}",
        "node_memory_HugePages_Total{$S} * node_memory_Hugepagesize_bytes{$S}",
    ]),
    ("Network traffic", &[
        "irate(node_network_receive_bytes_total{$S}[$R]) * 8",
        "-irate(node_network_transmit_bytes_total{$S}[$R]) * 8",
        "irate(node_network_receive_bytes_total{$S}[$R]) * 8 / ignoring (speed) node_network_speed_bytes{$S}",
        "irate(node_network_transmit_bytes_total{$S}[$R]) * 8 / ignoring (speed) node_network_speed_bytes{$S}",
        "node_network_speed_bytes{$S} * 8",
    ]),
    ("Disks", &[
        r#"irate(node_disk_reads_completed_total{$S,device=~"$D"}[$R])"#,
        r#"-irate(node_disk_writes_completed_total{$S,device=~"$D"}[$R])"#,
        r#"irate(node_disk_read_bytes_total{$S,device=~"$D"}[$R])"#,
        r#"-irate(node_disk_written_bytes_total{$S,device=~"$D"}[$R])"#,
        r#"irate(node_disk_io_time_seconds_total{$S,device=~"$D"}[$R])"#,
        r#"irate(node_disk_read_time_seconds_total{$S,device=~"$D"}[$R]) / irate(node_disk_reads_completed_total{$S,device=~"$D"}[$R])"#,
        r#"irate(node_disk_write_time_seconds_total{$S,device=~"$D"}[$R]) / irate(node_disk_writes_completed_total{$S,device=~"$D"}[$R])"#,
    ]),
    ("File systems", &[
        r#"node_filesystem_size_bytes{$S,device!~"rootfs"} - node_filesystem_avail_bytes{$S,device!~"rootfs"}"#,
    ]),
    ("Load", &[
        "node_load1{$S}",
        "node_load5{$S}",
        "node_load15{$S}",
        "count(count by (cpu) (node_cpu_seconds_total{$S}))",
    ]),
    ("Schedule statistics", &[
        "irate(node_schedstat_running_seconds_total{$S}[$R])",
        "irate(node_schedstat_waiting_seconds_total{$S}[$R])",
        "irate(node_schedstat_waiting_seconds_total{$S}[$R]) / irate(node_schedstat_timeslices_total{$S}[$R])",
    ]),
    ("Hardware", &[
        "node_hwmon_temp_celsius{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "node_hwmon_temp_crit_alarm_celsius{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "node_hwmon_temp_crit_celsius{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "node_hwmon_temp_crit_hyst_celsius{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "node_hwmon_temp_max_celsius{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "node_hwmon_fan_rpm{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "node_hwmon_fan_min_rpm{$S} * on (chip) group_left (chip_name) node_hwmon_chip_names{$S}",
        "avg(node_cpu_scaling_frequency_max_hertz{$S})",
        "avg(node_cpu_scaling_frequency_min_hertz{$S})",
    ]),
    ("Systemd", &[
        r#"node_systemd_units{$S,state="activating"}"#,
        r#"node_systemd_units{$S,state="active"}"#,
        r#"node_systemd_units{$S,state="deactivating"}"#,
        r#"node_systemd_units{$S,state="failed"}"#,
        r#"node_systemd_units{$S,state="inactive"}"#,
        "irate(node_systemd_socket_accepted_connections_total{$S}[$R])",
        "irate(node_systemd_socket_refused_connections_total{$S}[$R])",
    ]),
    ("TCP by state", &[
        r#"node_tcp_connection_states{state="established",$S}"#,
        r#"node_tcp_connection_states{state="syn_sent",$S}"#,
        r#"node_tcp_connection_states{state="syn_recv",$S}"#,
        r#"node_tcp_connection_states{state="fin_wait1",$S}"#,
        r#"node_tcp_connection_states{state="fin_wait2",$S}"#,
        r#"node_tcp_connection_states{state="time_wait",$S}"#,
        r#"node_tcp_connection_states{state="close",$S}"#,
        r#"node_tcp_connection_states{state="close_wait",$S}"#,
        r#"node_tcp_connection_states{state="last_ack",$S}"#,
        r#"node_tcp_connection_states{state="listen",$S}"#,
        r#"node_tcp_connection_states{state="closing",$S}"#,
        r#"node_tcp_connection_states{state="rx_queued_bytes",$S}"#,
        r#"node_tcp_connection_states{state="tx_queued_bytes",$S}"#,
    ]),
    ("UDP queues", &[
        r#"node_udp_queues{$S,queue="rx"}"#,
        r#"node_udp_queues{$S,queue="tx"}"#,
    ]),
    ("Page faults", &[
        "irate(node_vmstat_pgfault{$S}[$R]) - irate(node_vmstat_pgmajfault{$S}[$R])",
    ]),
];
