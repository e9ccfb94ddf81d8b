// What must not be written down: `log.redact`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rw::observe {

// The names of query parameters whose values logs replace by "***". Immutable.
class redaction {
 public:
  redaction() = default;
  // `names` as configured: "?token" is a query parameter, everything else a header, none of which
  // an access line prints.
  explicit redaction(std::span<const std::string> names);

  // `query` with its '?', or empty; true when there is something to replace, and then `out` has it.
  // Names are compared percent-decoded and without regard to case. Origins differ on whether ';'
  // separates parameters: here a name may begin after it, but a value that is hidden ends at '&'
  // alone, so that nothing of it shows either way.
  bool apply(std::string_view query, std::string& out) const;

 private:
  bool hides(std::string_view name) const;
  std::vector<std::string> parameters_;
};

}  // namespace rw::observe
