#include "control/audit_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "control/audit_files.h"
#include "control/version.h"
#include "control/writer_thread.h"
#include "io/ring.h"
#include "observe/log.h"

namespace rw::control {
namespace {

constexpr std::chrono::hours look_for_old_files{1};
constexpr std::size_t batch_bytes = 256U << 10U;  // what one write takes, about
constexpr std::size_t own_queue_bytes = 256U << 10U;

int open_audit(const std::string& path) noexcept {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

wall_time wall_now() noexcept {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}
mono_time now() noexcept {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::steady_clock::now());
}

}  // namespace

struct audit_log::state : writer_thread_state {
  state(audit_options options, int opened, const earlier_end& earlier)
      : path(std::move(options.path)),
        fd(opened),
        chain(earlier.digest, std::move(options.key)),
        believed(earlier.written, wall_now(), now()),
        keep(options.keep.count()) {
    from = {&own};
    batch.reserve(2 * batch_bytes);
  }
  ~state() { ::close(fd); }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  void begin(const earlier_end& earlier);
  void run();
  bool turn();
  void take_lines(std::span<const char> lines);
  void collect();
  void check_point(mono_time at);
  int write_batch() noexcept;
  void sync(bool at_once) noexcept;
  void publish(bool at_once);
  void open_anew();
  void remove_old_file();
  void finish();
  std::uint64_t lost_in_queues();  // under `lock`

  // The thread's.
  const std::string path;
  int fd;
  observe::audit_chain chain;
  const believed_clock believed;
  const observe::log journal;  // says checkpoints whatever log.level is
  std::vector<char> batch;
  std::size_t written = 0;  // of the batch
  std::string told;         // the last checkpoint in the journal
  mono_time checkpointed;
  mono_time synced;
  mono_time published;
  mono_time next_look;  // for old files; the first comes at once
  bool dirty = false;
  observe::audit_formatter format;

  observe::log_queue own{own_queue_bytes};  // the control thread's
  std::atomic<std::int64_t> keep;           // ns
  std::atomic<std::uint64_t> lost = 0;
  std::atomic<std::uint64_t> records = 0;
};

void audit_log::state::begin(const earlier_end& earlier) {
  // The process before this one was killed within a write, or its disk was full.
  if (earlier.partial) batch.push_back('\n');
  std::string about = fmt::format(R"(,"version":"{}","pid":{})", version, ::getpid());
  if (!earlier.file.empty()) {
    about += R"(,"follows":")";
    append_json_escaped(about, earlier.file);
    about += '"';
  }
  chain.append(chain.start_body(wall_now(), about), batch);
  checkpointed = synced = published = now();
}

void audit_log::state::take_lines(std::span<const char> lines) {
  while (!lines.empty()) {
    const auto end = std::find(lines.begin(), lines.end(), '\n');
    const auto size = static_cast<std::size_t>(end - lines.begin()) + 1;
    chain.append(std::string_view(lines.data(), size), batch);
    lines = lines.subspan(size);
    if (chain.unsigned_records() >= observe::audit_chain::records_per_checkpoint) {
      check_point(now());
    }
  }
}

// Whole lines, because that is what queues publish.
void audit_log::state::collect() {
  const std::lock_guard hold(lock);
  for (observe::log_queue* one : from) {
    for (std::span<const char> lines = one->readable();
         !lines.empty() && batch.size() < batch_bytes; lines = one->readable()) {
      if (lines.size() > batch_bytes) {
        const auto cut = std::find(lines.begin() + static_cast<std::ptrdiff_t>(batch_bytes) - 1,
                                   lines.end(), '\n');
        lines = lines.first(static_cast<std::size_t>(cut - lines.begin()) + 1);
      }
      take_lines(lines);
      one->release(lines.size());
    }
  }
  records.store(chain.records(), std::memory_order_relaxed);
}

std::uint64_t audit_log::state::lost_in_queues() {
  std::uint64_t total = lost.load(std::memory_order_relaxed);
  for (const observe::log_queue* one : from) total += one->dropped();
  return total;
}

// Under `lock`.
void audit_log::state::check_point(mono_time at) {
  checkpointed = at;
  chain.append_checkpoint(wall_now(), lost_in_queues(), batch);
}

// The errno that ended it, 0 when all was written.
int audit_log::state::write_batch() noexcept {
  while (written < batch.size()) {
    const ssize_t wrote = ::write(fd, batch.data() + written, batch.size() - written);
    if (wrote >= 0) {
      written += static_cast<std::size_t>(wrote);
      progress.fetch_add(static_cast<std::uint64_t>(wrote), std::memory_order_relaxed);
      dirty = true;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  batch.clear();
  written = 0;
  return 0;
}

void audit_log::state::sync(bool at_once) noexcept {
  const mono_time at = now();
  if (!dirty || (!at_once && at < synced + sync_every)) return;
  synced = at;
  dirty = false;
  // A file on something that cannot sync (EINVAL: a pipe, a device) is as safe as it will be.
  if (::fdatasync(fd) != 0 && errno != EINVAL) failing.store(errno, std::memory_order_relaxed);
}

// Of checkpoints that are in the file.
void audit_log::state::publish(bool at_once) {
  const mono_time at = now();
  if (chain.last_checkpoint() == told || (!at_once && at < published + journal_every)) return;
  told = chain.last_checkpoint();
  published = at;
  journal.info("audit checkpoint: " + told);
}

void audit_log::state::open_anew() {
  const int opened = open_audit(path);
  reopened(opened < 0 ? errno : 0);
  if (opened < 0) return;
  sync(true);
  // The old file ends in part of a line when its disk was full. The whole of it goes to the new
  // one: a chain has no gaps. Where the part cannot be taken back, `verify` says what it is.
  if (written > 0 && written < batch.size()) {
    const auto cut = batch.begin() + static_cast<std::ptrdiff_t>(written);
    const auto begin = std::find(std::reverse_iterator(cut), batch.rend(), '\n').base();
    const auto part = static_cast<off_t>(cut - begin);
    const off_t end = ::lseek(fd, 0, SEEK_END);
    if (part > 0 && end >= part && ::ftruncate(fd, end - part) != 0) dirty = true;
    written -= static_cast<std::size_t>(part);
  }
  ::close(std::exchange(fd, opened));
  remove_old_file();
}

void audit_log::state::remove_old_file() {
  const mono_time at = now();
  next_look = at + look_for_old_files;
  const std::int64_t ns = keep.load(std::memory_order_relaxed);
  if (ns == 0) return;
  const wall_time oldest = believed.at(wall_now(), at) - nanoseconds{ns};
  const std::optional<std::string> gone = remove_oldest(path, oldest);
  if (!gone) return;
  journal.info(fmt::format("{} was older than log.audit.keep and is gone", *gone));
  observe::audit_record record;
  record.at = wall_now();
  record.what = observe::audit_event::admin;
  record.reason = "audit_file_expired";
  record.object = *gone;
  std::string body;
  format.begin(record, body);
  observe::audit_formatter::end(record, body);
  chain.append(body, batch);
}

// False when nothing more can be written now.
bool audit_log::state::turn() {
  if (reopen.exchange(false, std::memory_order_acq_rel)) open_anew();
  if (has_no_file()) return false;
  if (batch.empty()) collect();
  const mono_time at = now();
  if (chain.unsigned_records() > 0 && at >= checkpointed + observe::audit_chain::checkpoint_every &&
      written == 0) {
    const std::lock_guard hold(lock);
    check_point(at);
  }
  if (batch.empty()) {
    sync(false);
    publish(false);
    return false;
  }
  const int os = write_batch();
  report(os);
  if (os != 0) return false;
  sync(false);
  publish(false);
  return true;
}

void audit_log::state::run() {
  for (;;) {
    const bool last = stop.load(std::memory_order_acquire);
    bool wrote = false;
    while (turn()) wrote = true;
    if (last) break;
    if (now() >= next_look && batch.empty()) remove_old_file();
    rest(wrote);
    look_at_file(fd);
  }
  finish();
}

void audit_log::state::finish() {
  if (batch.empty()) {
    const std::lock_guard hold(lock);
    chain.append(chain.stop_body(wall_now()), batch);
    check_point(now());
  }
  const int os = write_batch();
  report(os);
  sync(true);
  if (os == 0) publish(true);
  const std::span left = std::span(batch).subspan(written);
  lost.fetch_add(static_cast<std::uint64_t>(std::count(left.begin(), left.end(), '\n')),
                 std::memory_order_relaxed);
  say_ended();
}

result<std::unique_ptr<audit_log>> audit_log::start(audit_options options) {
  const earlier_end earlier = find_earlier(options.path);
  const int fd = open_audit(options.path);
  if (fd < 0) return failure(io::kernel_error(errno, origin::configuration));
  auto shared = std::make_shared<state>(std::move(options), fd, earlier);
  shared->begin(earlier);
  if (const int os = shared->write_batch(); os != 0) {
    return failure(io::kernel_error(os, origin::configuration));
  }
  try {
    return std::unique_ptr<audit_log>(new audit_log(std::move(shared)));
  } catch (const std::system_error& refused) {
    return failure(io::kernel_error(refused.code().value(), origin::local));
  }
}

audit_log::audit_log(std::shared_ptr<state> shared) : shared_(std::move(shared)) {
  thread_ = start_writer_thread("rw-audit", [own = shared_] { own->run(); });
}

audit_log::~audit_log() { stop_writer_thread(*shared_, thread_, patience); }

void audit_log::take(const std::vector<observe::log_queue*>& workers) {
  const std::lock_guard hold(shared_->lock);
  shared_->from.insert(shared_->from.begin(), workers.begin(), workers.end());
}

bool audit_log::emit(observe::audit_record what) {
  if (what.at == wall_time{}) what.at = wall_now();
  format_.begin(what, line_);
  observe::audit_formatter::end(what, line_);
  const std::span<char> room = shared_->own.reserve(line_.size());
  if (room.empty()) return false;
  std::copy(line_.begin(), line_.end(), room.begin());
  shared_->own.commit(line_.size());
  return true;
}

bool audit_log::take_line(std::string_view line) {
  if (!shared_->own.has_room(line.size())) return false;
  const std::span<char> room = shared_->own.reserve(line.size());
  if (room.empty()) return false;
  std::copy(line.begin(), line.end(), room.begin());
  shared_->own.commit(line.size());
  return true;
}

void audit_log::reopen() noexcept { shared_->ask_to_reopen(); }

void audit_log::keep_for(std::chrono::nanoseconds time) noexcept {
  shared_->keep.store(time.count(), std::memory_order_relaxed);
}

std::uint64_t audit_log::records() const noexcept {
  return shared_->records.load(std::memory_order_relaxed);
}

std::uint64_t audit_log::dropped() const noexcept {
  const std::lock_guard hold(shared_->lock);
  return shared_->lost_in_queues();
}

int audit_log::failing() const noexcept { return shared_->failing.load(std::memory_order_relaxed); }

}  // namespace rw::control
