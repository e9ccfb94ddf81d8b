// The simulated kernel's side of a ring: what is in flight, and what becomes of it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/ring.h"
#include "world.h"

namespace rw::sim {

// The world that rings created from now on belong to: ring::create() has no argument for it.
void use(world* one) noexcept;
world* used() noexcept;

}  // namespace rw::sim

namespace rw::io {

struct ring::backend {
  enum class kind : std::uint8_t {
    receive,
    receive_once,
    receive_into,
    send,
    readable,
    writable,
    connect,
    accept,
    wait
  };

  struct slot {
    operation* op = nullptr;
    std::uint64_t generation = 1;
    kind what = kind::wait;
    int fd = -1;
    std::span<std::byte> into;
    std::span<const std::byte> bytes;
    const msghdr* message = nullptr;
    const sockaddr* address = nullptr;
    bool waiting = false;  // for its descriptor to change
    bool full = false;     // a send that found no room
    bool final = false;    // its last completion is on its way
    bool trying = false;   // an attempt is on its way
    mono_time last_due;    // completions of one operation keep their order
  };
  struct ready {
    std::uint32_t index;
    std::uint64_t generation;
    completion what;
  };
  struct offered {
    std::uint16_t id;
    std::span<std::byte> bytes;
  };

  static std::string_view name(kind what) noexcept {
    constexpr std::string_view names[] = {"receive", "receive once", "receive into",
                                          "send",    "readable",     "writable",
                                          "connect", "accept",       "wait"};
    return names[static_cast<std::size_t>(what)];
  }

  explicit backend(sim::world& w) : in(w), id(next_id++) { rings.push_back(this); }
  ~backend() { std::erase(rings, this); }

  void start(operation& op, slot made);
  void try_later(std::uint32_t index);
  void attempt(std::uint32_t index);
  void receive(std::uint32_t index);
  void receive_into(std::uint32_t index);
  void poll(std::uint32_t index);
  void send(std::uint32_t index);
  void connect(std::uint32_t index);
  void accept(std::uint32_t index);
  void canceled(std::uint32_t index, std::uint64_t generation);
  void post(std::uint32_t index, completion what);
  void end(std::uint32_t index, std::int32_t result) { post(index, {result, -1, false}); }
  void wait_for_change(std::uint32_t index) { slots[index].waiting = true; }
  void changed(int fd);
  // A connection that one ring has accepted may be another's by now.
  static void changed_anywhere(int fd) {
    for (backend* one : rings) one->changed(fd);
  }
  std::int32_t splice_in(int socket, int pipe, std::size_t bytes);
  std::int32_t splice_out(int pipe, int socket, std::size_t bytes);
  bool mischief(double probability) { return in.chance(probability * in.mischief); }

  static inline std::vector<backend*> rings;  // for ring::wake()
  static inline int next_id = 1;

  sim::world& in;
  int id;
  std::vector<slot> slots;
  std::vector<std::uint32_t> free;
  std::vector<std::uint32_t> started;  // to be submitted by the next wait()
  std::vector<std::pair<std::uint32_t, std::uint64_t>> cancels;
  std::vector<offered> offers;   // to be seen by the next wait()
  std::vector<offered> buffers;  // the kernel's
  std::vector<ready> completed;
  std::map<int, std::string> pipes;  // what is in them, by their writing end
  unsigned in_flight = 0;
  bool woken = false;
  mono_time asked_at;  // for thread_time()
  nanoseconds worked{0};
  ring_counters counters;
};

}  // namespace rw::io
