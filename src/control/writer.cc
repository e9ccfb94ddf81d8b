#include "control/writer.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>

#include "control/writer_thread.h"
#include "io/ring.h"

namespace rw::control {
namespace {

constexpr std::size_t batch_bytes = 256U << 10U;  // what one write takes at most

std::uint64_t lines_in(std::span<const char> bytes) noexcept {
  return static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

}  // namespace

// Bytes are copied out of the queues into a batch of the thread's own before they are written: a
// queue is free again however long the disk takes, and a thread that hangs in a write for good
// holds nothing but this object.
struct writer::state : writer_thread_state {
  state(log_target to, std::vector<observe::log_queue*> queues) : target(std::move(to)) {
    from = std::move(queues);
    batch.reserve(batch_bytes);
  }

  void run();
  bool turn();
  void collect();
  int write_batch();
  void open_anew();
  void finish();

  // The thread's.
  log_target target;
  std::vector<char> batch;
  std::size_t written = 0;  // of the batch

  std::atomic<std::uint64_t> lost = 0;
};

// Whole lines, because that is what queues publish, and as many as fit; from each queue in turn.
void writer::state::collect() {
  const std::lock_guard hold(lock);
  for (observe::log_queue* one : from) {
    for (std::span<const char> lines = one->readable(); !lines.empty(); lines = one->readable()) {
      if (batch.size() + lines.size() > batch_bytes) {
        const std::size_t room = batch_bytes - batch.size();
        const auto cut =
            std::find(lines.rend() - static_cast<std::ptrdiff_t>(room), lines.rend(), '\n');
        lines = lines.first(static_cast<std::size_t>(lines.rend() - cut));
        if (lines.empty() && batch.empty()) lines = one->readable();  // longer than any batch
      }
      if (lines.empty()) break;
      batch.insert(batch.end(), lines.begin(), lines.end());
      one->release(lines.size());
    }
  }
}

// The errno that ended it, 0 when all was written.
int writer::state::write_batch() {
  while (written < batch.size()) {
    const ssize_t wrote = target.write(std::span(batch).subspan(written));
    lost.fetch_add(target.take_lost(), std::memory_order_relaxed);
    if (wrote >= 0) {
      written += static_cast<std::size_t>(wrote);
      progress.fetch_add(static_cast<std::uint64_t>(wrote), std::memory_order_relaxed);
    } else if (errno == EAGAIN) {
      // A daemon that has much to do, or a pipe that somebody made non-blocking: wait for who
      // reads, but not long at the end.
      pollfd ready{target.fd(), POLLOUT, 0};
      const int readers = ::poll(&ready, 1, static_cast<int>(writer_failed_pause.count()));
      if (readers == 0 && stop.load(std::memory_order_acquire)) return EAGAIN;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  batch.clear();
  written = 0;
  return 0;
}

void writer::state::open_anew() {
  const int why = target.open();
  reopened(why);
  if (why != 0) return;
  // The old file ends in part of a line when its disk was full: the rest of it has no place in the
  // new one.
  if (written > 0 && written < batch.size() && batch[written - 1] != '\n') {
    const auto rest = batch.begin() + static_cast<std::ptrdiff_t>(written);
    const auto end = std::find(rest, batch.end(), '\n');
    written = static_cast<std::size_t>(end - batch.begin()) + (end != batch.end() ? 1 : 0);
    lost.fetch_add(1, std::memory_order_relaxed);
  }
}

// False when nothing more can be written now.
bool writer::state::turn() {
  if (reopen.exchange(false, std::memory_order_acq_rel)) open_anew();
  if (has_no_file()) return false;
  if (batch.empty()) collect();
  if (batch.empty()) return false;
  const int os = write_batch();
  report(os);
  return os == 0;
}

void writer::state::run() {
  for (;;) {
    const bool last = stop.load(std::memory_order_acquire);
    bool wrote = false;
    while (turn()) wrote = true;
    if (last) break;
    rest(wrote);
    look_at_file(target.fd());
  }
  finish();
}

void writer::state::finish() {
  lost.fetch_add(lines_in(std::span(batch).subspan(written)), std::memory_order_relaxed);
  {
    const std::lock_guard hold(lock);
    for (observe::log_queue* one : from) {
      for (std::span<const char> lines = one->readable(); !lines.empty(); lines = one->readable()) {
        lost.fetch_add(lines_in(lines), std::memory_order_relaxed);
        one->release(lines.size());
      }
    }
  }
  say_ended();
}

result<std::unique_ptr<writer>> writer::start(const std::string& path,
                                              std::vector<observe::log_queue*> from) {
  return start(log_target::named(path), std::move(from));
}

result<std::unique_ptr<writer>> writer::start(log_target to,
                                              std::vector<observe::log_queue*> from) {
  const int why = to.open();
  if (why != 0 && to.must_be_there()) {
    return failure(io::kernel_error(why, origin::configuration));
  }
  auto shared = std::make_shared<state>(std::move(to), std::move(from));
  shared->failing.store(why, std::memory_order_relaxed);
  try {
    return std::unique_ptr<writer>(new writer(std::move(shared)));
  } catch (const std::system_error& refused) {
    return failure(io::kernel_error(refused.code().value(), origin::local));
  }
}

writer::writer(std::shared_ptr<state> shared) : shared_(std::move(shared)) {
  thread_ = start_writer_thread("rw-writer", [own = shared_] { own->run(); });
}

writer::~writer() { stop_writer_thread(*shared_, thread_, patience); }

void writer::take(std::vector<observe::log_queue*> from) {
  const std::lock_guard hold(shared_->lock);
  shared_->from = std::move(from);
}

void writer::reopen() noexcept { shared_->ask_to_reopen(); }

std::uint64_t writer::dropped() const noexcept {
  std::uint64_t total = shared_->lost.load(std::memory_order_relaxed);
  const std::lock_guard hold(shared_->lock);
  for (const observe::log_queue* one : shared_->from) total += one->dropped();
  return total;
}

int writer::failing() const noexcept { return shared_->failing.load(std::memory_order_relaxed); }

}  // namespace rw::control
