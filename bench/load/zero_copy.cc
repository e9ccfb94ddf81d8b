// Where IORING_OP_SEND_ZC begins to pay on a path of this machine: the same bytes sent with it and
// without, and how often the kernel copied all the same. bench/load/zero_copy.py runs it.
#include <liburing.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "socket.h"

namespace rw::bench {
namespace {

// Newer than liburing 2.3's headers.
constexpr std::uint16_t report_usage = 1U << 3;
constexpr std::uint32_t usage_copied = 1U << 31;

constexpr std::uint64_t total_bytes = 1ULL << 30;
constexpr std::size_t buffers = 16;  // so many are under way at most, as in a socket's queue

struct sent {
  std::uint64_t bytes = 0;
  std::uint64_t notified = 0;
  std::uint64_t copied = 0;  // of those
};

class sender {
 public:
  sender(int fd, std::size_t piece, bool zero_copy)
      : fd_(fd), piece_(piece), zero_copy_(zero_copy) {
    const int failed =
        io_uring_queue_init(64, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (failed < 0) die("io_uring_setup", -failed);
    void* memory = mmap(nullptr, buffers * piece, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) die("mmap", errno);
    memory_ = static_cast<char*>(memory);
    for (std::size_t i = 0; i < buffers; ++i) free_.push_back(i);
  }
  ~sender() {
    io_uring_queue_exit(&ring_);
    munmap(memory_, buffers * piece_);
  }
  sender(const sender&) = delete;
  sender& operator=(const sender&) = delete;

  // One send at a time; a buffer is free again once the kernel is done with it.
  sent run() {
    while (done_.bytes < total_bytes || free_.size() < buffers) {
      if (done_.bytes < total_bytes && !sending_ && !free_.empty()) start();
      const int waited = io_uring_submit_and_wait(&ring_, 1);
      if (waited < 0) die("io_uring_enter", -waited);
      io_uring_cqe* cqe = nullptr;
      while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
        complete(*cqe);
        io_uring_cqe_seen(&ring_, cqe);
      }
    }
    return done_;
  }

 private:
  void start() {
    const std::size_t at = free_.back();
    free_.pop_back();
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    const char* from = memory_ + at * piece_;
    if (zero_copy_) {
      io_uring_prep_send_zc(sqe, fd_, from, piece_, MSG_NOSIGNAL | MSG_WAITALL, 0);
      sqe->ioprio = report_usage;
    } else {
      io_uring_prep_send(sqe, fd_, from, piece_, MSG_NOSIGNAL | MSG_WAITALL);
    }
    io_uring_sqe_set_data64(sqe, at);
    sending_ = true;
  }

  void complete(const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_NOTIF) != 0) {
      ++done_.notified;
      if ((static_cast<std::uint32_t>(cqe.res) & usage_copied) != 0) ++done_.copied;
    } else {
      if (cqe.res <= 0) die("send", cqe.res == 0 ? EPIPE : -cqe.res);
      done_.bytes += static_cast<std::uint64_t>(cqe.res);
      sending_ = false;
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) free_.push_back(cqe.user_data);
  }

  io_uring ring_{};
  int fd_;
  std::size_t piece_;
  bool zero_copy_;
  char* memory_ = nullptr;
  std::vector<std::size_t> free_;
  bool sending_ = false;
  sent done_;
};

double cpu_us() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

int measure(int argc, char** argv) {
  CLI::App app{"Sends 1 GiB in pieces and prints what it cost, as JSON"};
  std::string to;
  std::size_t piece = 65536;
  bool zero_copy = false;
  app.add_option("--to", to, "IP:port of somebody who takes everything")->required();
  app.add_option("--piece", piece, "bytes of each send")->capture_default_str();
  app.add_flag("--zero-copy", zero_copy, "IORING_OP_SEND_ZC");
  CLI11_PARSE(app, argc, argv);
  const address where = parse_address(to);
  const int fd = socket_for(where);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&where.storage), where.size) != 0)
    die("connect", errno);
  sender one(fd, piece, zero_copy);
  const double before = cpu_us();
  const sent done = one.run();
  std::printf("{\"cpu_us_per_mib\": %.2f, \"notified\": %llu, \"copied\": %llu}\n",
              (cpu_us() - before) / (static_cast<double>(done.bytes) / (1 << 20)),
              static_cast<unsigned long long>(done.notified),
              static_cast<unsigned long long>(done.copied));
  return 0;
}

}  // namespace
}  // namespace rw::bench

int main(int argc, char** argv) { return rw::bench::measure(argc, argv); }
