#include "auth/replay_table.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "base/assert.h"
#include "base/random.h"

namespace rw::auth {

namespace {

constexpr std::size_t set_places = 64;

// One place: what is in it and until when. Two words that are read one by one and swapped together.
// `rest`: 31 bits more of the tag and whether it is only being taken, above the seconds from 1970
// until which it counts. Of one that is being taken those bits hold a number that no other attempt
// has, and it counts however long that lasts.
struct place {
  std::uint64_t tag = 0;
  std::uint64_t rest = 0;

  static constexpr std::uint64_t pending_bit = 1ULL << 32U;
  bool pending() const noexcept { return (rest & pending_bit) != 0; }
  bool is_free(std::uint32_t now) const noexcept {
    return !pending() && static_cast<std::uint32_t>(rest) <= now;
  }
  bool is_of(std::uint64_t its_tag, std::uint64_t its_more) const noexcept {
    return tag == its_tag && (rest >> 33U) == its_more;
  }
};

using wide [[gnu::may_alias]] = unsigned __int128;
using half [[gnu::may_alias]] = std::uint64_t;

static_assert(sizeof(place) == 16);
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "place's layout is to_wide()'s");

wide to_wide(const place& p) noexcept { return (wide{p.rest} << 64U) | p.tag; }

std::uint32_t to_seconds(numeric_date at, bool up) noexcept {
  const auto since = at.time_since_epoch();
  const std::int64_t count = up ? std::chrono::ceil<std::chrono::seconds>(since).count()
                                : std::chrono::floor<std::chrono::seconds>(since).count();
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, most));
}

// The set that a hash leads to.
class set_view {
 public:
  explicit set_view(std::byte* at) noexcept : at_(at) {}

  place read(std::size_t i) const noexcept {
    const half* words = reinterpret_cast<const half*>(at_ + i * sizeof(place));
    place out;
    out.tag = __atomic_load_n(words, __ATOMIC_SEQ_CST);
    out.rest = __atomic_load_n(words + 1, __ATOMIC_SEQ_CST);
    return out;
  }
  bool swap(std::size_t i, const place& from, const place& to) const noexcept {
    wide expected = to_wide(from);
    return __atomic_compare_exchange_n(reinterpret_cast<wide*>(at_ + i * sizeof(place)), &expected,
                                       to_wide(to), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }

 private:
  std::byte* at_;
};

}  // namespace

struct replay_table::memory {
  explicit memory(std::size_t places) : sets(std::max<std::size_t>(1, places / set_places)) {
    // calloc: the kernel's pages are zero already, and are not touched before they are needed.
    const std::size_t bytes = (sets * set_places + 1) * sizeof(place);
    block = static_cast<std::byte*>(std::calloc(1, bytes));  // NOLINT(cppcoreguidelines-no-malloc)
    if (block == nullptr) throw std::bad_alloc();
    random_bytes(key);
  }
  ~memory() { std::free(block); }  // NOLINT(cppcoreguidelines-no-malloc)
  memory(const memory&) = delete;
  memory& operator=(const memory&) = delete;

  set_view set(std::uint64_t hash) const noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    std::byte* first = block + (sizeof(place) - address % sizeof(place)) % sizeof(place);
    return set_view(first + (hash % sets) * set_places * sizeof(place));
  }

  std::size_t sets;
  std::byte* block = nullptr;
  std::array<std::byte, 32> key;
  std::atomic<std::uint32_t> attempts = 0;
};

replay_table::replay_table(std::size_t places) : memory_(std::make_unique<memory>(places)) {}
replay_table::~replay_table() = default;

// Several who take the same jti at once may each write it down, in different places when they do
// not agree on which are free. Each then looks for others: the lower place takes the higher one
// away, unless that was confirmed before, and who finds a lower one gives up.
replay_table::outcome replay_table::take(std::string_view issuer, std::string_view jti,
                                         numeric_date until, numeric_date now) noexcept {
  std::array<std::uint64_t, 3> hash;
  crypto_generichash_state state;
  crypto_generichash_init(&state, reinterpret_cast<const unsigned char*>(memory_->key.data()),
                          memory_->key.size(), sizeof hash);
  const std::uint64_t issuer_bytes = issuer.size();  // so that no other pair reads the same
  const auto add = [&state](const void* bytes, std::size_t size) {
    crypto_generichash_update(&state, static_cast<const unsigned char*>(bytes), size);
  };
  add(&issuer_bytes, sizeof issuer_bytes);
  add(issuer.data(), issuer.size());
  add(jti.data(), jti.size());
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(hash.data()), sizeof hash);

  const set_view set = memory_->set(hash[0]);
  const std::uint64_t tag = hash[1];
  const std::uint64_t more = hash[2] >> 33U;
  const std::uint32_t at = to_seconds(now, false);
  const std::uint32_t number = memory_->attempts.fetch_add(1, std::memory_order_relaxed);
  const place mine{tag, (more << 33U) | place::pending_bit | number};

  std::size_t taken = set_places;
  while (taken == set_places) {
    std::size_t free = set_places;
    place before;
    for (std::size_t i = 0; i < set_places; ++i) {
      const place other = set.read(i);
      if (other.is_free(at)) {
        if (free == set_places) {
          free = i;
          before = other;
        }
      } else if (other.is_of(tag, more)) {
        return outcome::again;
      }
    }
    if (free == set_places) return outcome::full;
    if (set.swap(free, before, mine)) taken = free;
  }
  for (std::size_t i = 0; i < set_places; ++i) {
    place other = set.read(i);
    while (i != taken && !other.is_free(at) && other.is_of(tag, more)) {
      if (!other.pending() || i < taken) {
        set.swap(taken, mine, place{});
        return outcome::again;
      }
      if (set.swap(i, other, place{})) break;
      other = set.read(i);
    }
  }
  const place done{tag, (more << 33U) | to_seconds(until, true)};
  return set.swap(taken, mine, done) ? outcome::first : outcome::again;
}

}  // namespace rw::auth
