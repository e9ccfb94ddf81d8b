// A key of a limit in words: `client.ip=192.0.2.1`, or as its digest.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "gateway/snapshot.h"
#include "limit/key.h"

namespace rw::control {

// "client.ip+identity", as the configuration has it.
std::string by_text(const config::limit& limit);

// "5e1f…": 16 hexadecimal digits. All that the gate keeps of a key: of this process alone.
std::string digest_text(limit::key key);

// The key that `words` say. One digest; or PART=VALUE for each part of `by`: client.ip, identity
// (with issuer=NAME, of [auth.jwt.NAME], where a token says it), route, country, header:NAME; a
// limit by one part takes the value alone. Otherwise why they say none.
std::expected<limit::key, std::string> key_of(const gateway::snapshot& state, std::uint32_t index,
                                              std::span<const std::string_view> words);

}  // namespace rw::control
