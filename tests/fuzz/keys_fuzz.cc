// The file of API keys. What is taken can be asked, names are names, lines with slow hashes are at
// most sixteen; what is wrong names its line and quotes nothing of it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "auth/key_file.h"
#include "auth/slow_hash.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rw;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::uint32_t>(std::ranges::count(text, '\n') + 1);
  config::diagnostics found;
  const auto store = auth::load_keys(text, "keys", found);
  RW_ASSERT(store.has_value() != config::has_error(found));
  for (const config::diagnostic& one : found) {
    RW_ASSERT(one.line >= 1 && one.line <= lines && !one.text.empty());
  }
  if (!store) return 0;
  RW_ASSERT(store->size() <= lines && store->slow_lines().size() <= auth::slow_lines_max);
  for (const auth::slow_line& one : store->slow_lines()) {
    RW_ASSERT(auth::is_key_name(one.name) && auth::refuse_slow_hash(one.hash) == nullptr);
    RW_ASSERT(store->slow_line_of(one.id) == &one);
  }
  // A bare word of the file, if it is a key in the clear, is found by itself.
  if (lines == 1 && !text.contains(':') && store->size() == 1 && store->slow_lines().empty()) {
    const auto first = text.find_first_not_of(" \t\r");
    const auto last = text.find_last_not_of(" \t\r");
    RW_ASSERT(store->verify(text.substr(first, last - first + 1)) == "key-1");
  }
  return 0;
}
