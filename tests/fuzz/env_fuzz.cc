// The .env of an old system. What is read stands in the text as it is, and what becomes of it is a
// configuration that loads, or none.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "config/load.h"
#include "control/import_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rw;
  using namespace rw::control;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::uint32_t>(std::ranges::count(text, '\n') + 1);
  import_notes notes;
  const auto settings = read_env(text, ".env", notes);
  for (const env_setting& one : settings) {
    RW_ASSERT(text.contains(one.value) && !one.name.empty());
    RW_ASSERT(one.line >= 1 && one.line <= lines);
  }
  import_plan plan{.from = "/old", .folder = "/new", .origin = "127.0.0.1:1"};
  plan.settings = read_old_settings(settings, ".env", notes);
  plan.has_key_set = plan.has_mint_key = true;
  const std::string toml = write_toml(plan, notes);
  const auto loaded = config::parse(toml, "made");
  RW_ASSERT(loaded && loaded->settings.routes.size() == 3);
  if (!plan.settings.issuer.empty() && std::ranges::all_of(plan.settings.issuer, [](char c) {
        return c >= 0;  // octets that are no UTF-8 are written as other characters
      })) {
    RW_ASSERT(loaded->settings.mint.issuer == plan.settings.issuer);
  }
  for (const import_note& one : notes) {
    RW_ASSERT(one.line <= lines && !to_string(one).contains('\n'));
  }
  return 0;
}
