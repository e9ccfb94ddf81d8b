// Names of certificates: raw ones, and a good one around the subject and the alternatives of the
// input. What is found must be in there, as a value of one of the kinds that count, and whole.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/text.h"
#include "tls/holder_name.h"
#include "tls/x509.h"

namespace {

using namespace rw;
using namespace rw::tls;

std::string element(char tag, std::string_view body) {
  std::string out(1, tag);
  if (body.size() < 0x80) {
    out += static_cast<char>(body.size());
  } else {
    out += body.size() < 0x100 ? '\x81' : '\x82';
    if (body.size() >= 0x100) out += static_cast<char>(body.size() >> 8U);
    out += static_cast<char>(body.size());
  }
  return out.append(body);
}

std::string around(std::string_view subject, std::string_view alternatives) {
  using std::string_literals::operator""s;
  constexpr char sequence = 0x30;
  const std::string names = element(sequence, alternatives);
  const std::string extension = element(sequence, "\x06\x03\x55\x1d\x11" + element('\x04', names));
  const std::string fields = "\xa0\x03\x02\x01\x02\x02\x01\x01"s + element(sequence, "") +
                             element(sequence, "") + element(sequence, "") +
                             element(sequence, subject) + element(sequence, "") +
                             element('\xa3', element(sequence, extension));
  return element(sequence, element(sequence, fields));
}

bool holds(std::string_view der, char tag, std::string_view value) {
  return der.find(element(tag, value)) != std::string_view::npos;
}

void check(std::string_view der) {
  const auto found = holder_name(der);
  const auto again = holder_name(der);
  RW_ASSERT(found.has_value() == again.has_value());
  if (!found) {
    RW_ASSERT(found.error().text != nullptr && *found.error().text != '\0');
    return;
  }
  RW_ASSERT(*found == *again);
  RW_ASSERT(found->size() <= holder_name_bytes_max && is_visible_ascii(*found));
  constexpr char uri = '\x86';
  constexpr char dns = '\x82';
  const bool is_dns = lower_case(der).contains(lower_case(element(dns, *found)));
  bool is_value = (is_dns && *found == lower_case(*found)) || holds(der, uri, *found);
  for (const char text : {'\x0c', '\x13', '\x16'}) is_value = is_value || holds(der, text, *found);
  RW_ASSERT(is_value);
  // Nothing that was cut off, or has more behind it, has a name.
  RW_ASSERT(!holder_name(der.substr(0, der.size() - 1)));
  RW_ASSERT(!holder_name(std::string(der) + '\0'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check(input);
  if (size == 0 || size > 4096) return 0;
  const std::string_view rest = input.substr(1);
  const std::size_t split = data[0] % (rest.size() + 1);
  check(around(rest.substr(0, split), rest.substr(split)));
  return 0;
}
