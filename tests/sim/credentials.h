// Who clients say they are: keys and tokens, good and bad, and what is due to whoever shows them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "world.h"

namespace rw::sim {

inline constexpr wall_time wall_start{seconds{1'700'000'000}};
inline wall_time wall_at(mono_time when) noexcept { return wall_start + when.time_since_epoch(); }

// What a route asks for, in the configuration.
enum class door : std::uint8_t {
  open,    // nothing
  keys,    // a key
  tokens,  // a token of the issuer "sim"
  either,  // a key, or a token of "sim" or "own"
  mint     // a key, for a token of "own"
};

struct token {
  std::string text;
  bool own = false;  // minted by the gateway; else of the issuer "sim"
  std::string subject;
  wall_time valid_from;
  wall_time expires;
  std::string_view flaw;  // why it is never any good, "" when it is
};

// What one request shows.
struct claim {
  std::string fields;       // of the head, ready to be sent
  bool doubled = false;     // a field twice
  bool scheme = false;      // an Authorization of a kind unknown
  bool key = false;         // some key
  std::string_view holder;  // whose; "" when it is nobody's
  bool withdrawn = false;   // the second configuration does not know the key
  std::optional<token> bearer;
  std::vector<std::string> secrets;  // never to be seen behind the gateway
};

// status 0: admitted. `who` is also there when a token came too late.
struct ruling {
  unsigned status = 0;
  std::string_view reason;
  std::string_view who;
  std::string_view realm;  // whose `who` it is: of limits
  seconds wait{0};         // for status 429: until a request would be admitted
};

// Written apart from src/auth, by what docs say of it. A withdrawn key counts as good.
ruling due(const claim& shown, door at, wall_time when);

// Keys and tokens as a file each, and the key that mints.
struct key_ring {
  std::string keys;        // of [auth.api_keys]
  std::string fewer_keys;  // without those withdrawn
  std::string issuer_keys;
  std::string mint_key;
  std::vector<std::pair<std::string, std::string>> known;  // names and keys; the last is withdrawn
  std::vector<token> tokens;
};

// Made once for the process, as prepare_configurations() says.
const key_ring& ring_of_keys();

// One claim drawn from the seed, for a client at that door. `minted`: tokens of this run.
claim make_claim(world& in, door at, const std::vector<token>& minted);

// What the answer of the mint holds; nothing when it is not as it should be.
std::optional<token> read_minted(std::string_view body);

}  // namespace rw::sim
