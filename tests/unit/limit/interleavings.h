// Every interleaving of a few threads over one set of a limit table, one memory access at a time.
// There are no real threads. What a thread does next depends only on what its accesses returned so
// far, so a thread's position is a node in a tree of such histories, and its next access is found
// once per node by running it from its start on recorded answers. A state of the whole is the
// cells and one node per thread; each is explored once. Where all of them are too many, those with
// a bounded number of preemptions (a switch away from a thread that could go on) are explored.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "limit/set.h"

namespace rw::limit::model {

struct access {
  enum class kind : std::uint8_t { none, tag, when, swap, stamp, forgave };
  kind what = kind::none;  // none: the thread has finished
  unsigned at = 0;
  cell expected;
  cell desired;
};

// What an access returned: a word, or for a swap whether it was made and the cell that was there.
struct answer {
  std::uint64_t word = 0;
  cell present;
  friend auto operator<=>(const answer& a, const answer& b) {
    return std::tie(a.word, a.present.tag, a.present.when) <=>
           std::tie(b.word, b.present.tag, b.present.when);
  }
};

struct asked {
  access next;
};

// The algorithm's Memory: recorded answers first, then the next access is thrown.
template <unsigned Ways>
class memory {
 public:
  static constexpr unsigned ways = Ways;

  explicit memory(const std::vector<answer>& past) : past_(past) {}

  std::uint64_t tag(unsigned i) { return ask({access::kind::tag, i, {}, {}}).word; }
  std::uint64_t when(unsigned i) { return ask({access::kind::when, i, {}, {}}).word; }
  bool swap(unsigned i, cell& expected, const cell& desired) {
    const answer got = ask({access::kind::swap, i, expected, desired});
    if (got.word == 0) expected = got.present;
    return got.word != 0;
  }
  std::uint64_t stamp() { return ask({access::kind::stamp, 0, {}, {}}).word; }
  void forgave() { ask({access::kind::forgave, 0, {}, {}}); }

 private:
  answer ask(const access& next) {
    if (at_ == past_.size()) throw asked{next};
    return past_[at_++];
  }

  const std::vector<answer>& past_;
  std::size_t at_ = 0;
};

inline constexpr unsigned threads_max = 3;

// Compared and hashed octet by octet, so all of it is 64-bit words.
template <unsigned Ways>
struct state {
  std::array<cell, Ways> cells{};
  std::uint64_t stamps = 0;
  std::uint64_t forgiven = 0;
  std::array<std::uint64_t, threads_max> position{};  // node in the tree of histories
  std::uint64_t running = threads_max;                // with bounded preemptions only
  std::uint64_t preemptions = 0;                      // likewise

  friend bool operator==(const state&, const state&) = default;
};

template <unsigned Ways>
struct state_hash {
  std::size_t operator()(const state<Ways>& of) const {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&of), sizeof of});
  }
};

template <unsigned Ways>
class explorer {
 public:
  using results = std::vector<outcome>;
  using thread = std::function<results(memory<Ways>&)>;
  using check = std::function<void(const state<Ways>&)>;
  using final_check = std::function<void(const state<Ways>&, const std::vector<results>&)>;

  // `each` sees every reachable state, `last` every one in which all threads have finished, with
  // what they returned. An execution with more than `accesses_max` in one thread is given up.
  void run(const std::array<cell, Ways>& start, std::vector<thread> threads, const check& each,
           const final_check& last, std::uint64_t preemptions_max = unbounded) {
    threads_ = std::move(threads);
    preemptions_max_ = preemptions_max;
    state<Ways> first{.cells = start};
    for (unsigned t = 0; t < threads_.size(); ++t) first.position[t] = grow(t, none, {});
    open_.assign(1, first);
    seen_.insert(first);
    while (!open_.empty()) {
      const state<Ways> here = open_.back();
      open_.pop_back();
      each(here);
      bool finished = true;
      for (unsigned t = 0; t < threads_.size(); ++t) {
        if (ended(here, t)) continue;
        finished = false;
        visit(here, t);
      }
      if (finished) last(here, collect(here));
    }
  }

  std::size_t states() const { return seen_.size(); }
  std::size_t given_up() const { return given_up_; }

 private:
  static constexpr std::size_t none = ~std::size_t{0};
  static constexpr std::uint64_t unbounded = ~std::uint64_t{0};
  static constexpr unsigned accesses_max = 120;

  struct node {
    std::size_t parent = none;
    answer got;  // what led here from the parent
    unsigned thread = 0;
    unsigned depth = 0;
    access next;
    results returned;
    std::map<answer, std::size_t> children;
  };

  bool ended(const state<Ways>& here, unsigned t) const {
    return nodes_[here.position[t]].next.what == access::kind::none;
  }

  void visit(const state<Ways>& here, unsigned t) {
    if (nodes_[here.position[t]].depth >= accesses_max) {
      ++given_up_;
      return;
    }
    state<Ways> next = step(here, t);
    if (preemptions_max_ != unbounded) {
      const bool preempted = here.running < threads_.size() && here.running != t &&
                             !ended(here, static_cast<unsigned>(here.running));
      if (preempted && ++next.preemptions > preemptions_max_) return;
      next.running = t;
    }
    if (seen_.insert(next).second) open_.push_back(next);
  }

  std::size_t grow(unsigned t, std::size_t parent, const answer& got) {
    node made{.parent = parent, .got = got, .thread = t};
    std::vector<answer> past;
    if (parent != none) {
      made.depth = nodes_[parent].depth + 1;
      past.resize(made.depth);
      past.back() = got;
      for (std::size_t up = parent, i = made.depth - 1; i > 0; up = nodes_[up].parent) {
        past[--i] = nodes_[up].got;
      }
    }
    memory<Ways> view(past);
    try {
      made.returned = threads_[t](view);
    } catch (const asked& question) {
      made.next = question.next;
    }
    nodes_.push_back(std::move(made));
    return nodes_.size() - 1;
  }

  state<Ways> step(const state<Ways>& from, unsigned t) {
    state<Ways> to = from;
    const std::size_t here = from.position[t];
    const access& next = nodes_[here].next;
    answer got;
    switch (next.what) {
      case access::kind::tag:
        got.word = from.cells[next.at].tag;
        break;
      case access::kind::when:
        got.word = from.cells[next.at].when;
        break;
      case access::kind::stamp:
        got.word = to.stamps++;
        break;
      case access::kind::forgave:
        ++to.forgiven;
        break;
      case access::kind::swap:
        got = {from.cells[next.at] == next.expected, from.cells[next.at]};
        if (got.word != 0) to.cells[next.at] = next.desired;
        break;
      case access::kind::none:
        break;
    }
    const auto known = nodes_[here].children.find(got);
    if (known != nodes_[here].children.end()) {
      to.position[t] = known->second;
    } else {
      const std::size_t grown = grow(t, here, got);
      nodes_[here].children.emplace(got, grown);
      to.position[t] = grown;
    }
    return to;
  }

  std::vector<results> collect(const state<Ways>& at) const {
    std::vector<results> all;
    for (unsigned t = 0; t < threads_.size(); ++t) {
      all.push_back(nodes_[at.position[t]].returned);
    }
    return all;
  }

  std::vector<thread> threads_;
  std::uint64_t preemptions_max_ = unbounded;
  std::size_t given_up_ = 0;
  std::deque<node> nodes_;
  std::vector<state<Ways>> open_;
  std::unordered_set<state<Ways>, state_hash<Ways>> seen_;
};

}  // namespace rw::limit::model
