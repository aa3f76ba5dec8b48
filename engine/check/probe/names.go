package probe

// The metric names of all kinds, by kind. Names holds pushes off them.
const (
	nameStatus = "vigil_check_status"
	namePerf   = "vigil_check_perfdata"

	nameProcCount    = "vigil_process_count"
	nameProcZombies  = "vigil_process_zombies"
	nameProcUptime   = "vigil_process_uptime_seconds"
	nameProcCPU      = "vigil_process_cpu_seconds_total"
	nameProcCPUKids  = "vigil_process_children_cpu_seconds_total"
	nameProcRSS      = "vigil_process_resident_memory_bytes"
	nameProcPSS      = "vigil_process_proportional_memory_bytes"
	nameProcThreads  = "vigil_process_threads"
	nameProcChildren = "vigil_process_children"
	nameProcFDs      = "vigil_process_open_fds"
	nameProcFDRatio  = "vigil_process_open_fds_ratio"
	nameProcRead     = "vigil_process_read_bytes_total"
	nameProcWrite    = "vigil_process_write_bytes_total"
	nameProcChanges  = "vigil_process_changes_total"

	nameUnitActive   = "vigil_unit_active"
	nameUnitState    = "vigil_unit_state"
	nameUnitCount    = "vigil_unit_count"
	nameUnitRestarts = "vigil_unit_restarts_total"
	nameUnitMemory   = "vigil_unit_memory_bytes"
	nameUnitTasks    = "vigil_unit_tasks"
	nameUnitSince    = "vigil_unit_active_since_seconds"
	nameUnitResult   = "vigil_unit_result_ok"

	nameHTTPStatus   = "vigil_http_status_code"
	nameHTTPPhase    = "vigil_http_phase_seconds"
	nameHTTPTime     = "vigil_http_duration_seconds"
	nameHTTPBody     = "vigil_http_body_bytes"
	nameHTTPHops     = "vigil_http_redirects"
	nameHTTPMatch    = "vigil_http_match"
	nameTLSDays      = "vigil_tls_days_left"
	nameTCPConnect   = "vigil_tcp_connect_seconds"
	nameTCPTime      = "vigil_tcp_duration_seconds"
	nameScrapeUp     = "up"
	nameScrapeTook   = "scrape_duration_seconds"
	nameScrapeCount  = "scrape_samples_scraped"
	nameScrapeKept   = "scrape_samples_post_metric_relabeling"
	nameScrapeRefuse = "vigil_scrape_samples_refused"
)

// Names is every metric name the kinds emit by themselves; `up` and its kin carry
// job and instance and are left free for others who scrape and push.
func Names() []string {
	return []string{
		nameStatus, namePerf,
		nameProcCount, nameProcZombies, nameProcUptime, nameProcCPU, nameProcCPUKids, nameProcRSS, nameProcPSS, nameProcThreads,
		nameProcChildren, nameProcFDs, nameProcFDRatio, nameProcRead, nameProcWrite, nameProcChanges,
		nameUnitActive, nameUnitState, nameUnitCount, nameUnitRestarts, nameUnitMemory, nameUnitTasks, nameUnitSince, nameUnitResult,
		nameHTTPStatus, nameHTTPPhase, nameHTTPTime, nameHTTPBody, nameHTTPHops, nameHTTPMatch, nameTLSDays,
		nameTCPConnect, nameTCPTime, nameScrapeRefuse,
	}
}
