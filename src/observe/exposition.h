// /metrics: the Prometheus text format, version 0.0.4.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "observe/counters.h"
#include "observe/names.h"

namespace rw::observe {

// A chain of certificates that is shown to others, and when the first of them ends.
struct certificate_end {
  std::string_view role;  // "listener" or "upstream": a literal
  std::string name;       // of that listener or upstream
  std::string chain;      // the path
  wall_time at;
};

// What the process as a whole knows; the rest is summed over the workers.
struct process_facts {
  std::string_view version;
  std::string_view tls_library;
  wall_time now;
  wall_time started;
  wall_time reloaded;  // the last configuration that was taken
  std::uint64_t reloads = 0;
  std::uint64_t reloads_failed = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t memory_bound_bytes = 0;
  std::uint64_t access_lines_dropped = 0;
  std::uint64_t key_hashes = 0;     // slow hashes of API keys computed
  bool access_log_failing = false;  // the last write or open of it did not succeed
  std::uint64_t audit_records = 0;
  wall_time geo_built;            // the database of [geo]; 0: there is none
  bool geo_stale = false;         // its file is no longer good
  std::uint64_t geo_refused = 0;  // readings of it that found that
  std::uint64_t audit_records_dropped = 0;
  bool audit_log_failing = false;
  std::uint64_t upgrades = 0;  // that led to this process, and attempts to replace it
  std::uint64_t upgrades_failed = 0;
  std::uint64_t upgrades_refused = 0;
  bool stale_configuration = false;  // what is on disk was refused, and an older one is in force
  bool stale_files = false;          // likewise what the configuration names
  std::span<const certificate_end> certificates;
  std::span<const nanoseconds> worker_cpu;  // by worker; those that have ended at 0
};

// Appends the whole exposition. The control thread; reads what the workers write.
void expose(std::span<const counters* const> workers, const label_names& labels,
            const process_facts& facts, std::string& out);

// Appends the series of one histogram, summed over `parts`: _bucket, _sum and _count. `labels`:
// `a="b",c="d"`, or nothing.
void append_histogram(std::string_view name, std::string_view labels,
                      std::span<const histogram* const> parts, std::string& out);

}  // namespace rw::observe
