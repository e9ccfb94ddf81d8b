#include "geo/country_table.h"

#include <maxminddb.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>

namespace rw::geo {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// Between the search tree and the data (MaxMind DB 2.0, "Data Section Separator").
constexpr std::uint64_t separator_bytes = 16;

failure broken(const char* text) {
  return failure({fault::invalid, origin::configuration, false, 0, text});
}

constexpr std::string_view metadata_marker = "\xab\xcd\xefMaxMind.com";

// What the library's decoder and its reader of nodes need, which are all that is used of it: a
// file that it opens by name would be mapped, so that whoever cuts it short ends the process.
MMDB_s describe(std::string_view content, std::string_view data) noexcept {
  MMDB_s made{};
  made.file_content = reinterpret_cast<const std::uint8_t*>(content.data());
  made.file_size = static_cast<ssize_t>(content.size());
  made.data_section = reinterpret_cast<const std::uint8_t*>(data.data());
  made.data_section_size = static_cast<std::uint32_t>(data.size());
  return made;
}

// A number of the metadata; nothing when it is not there or of another type.
std::optional<std::uint64_t> number(const MMDB_s& metadata, const char* name, std::uint32_t type) {
  MMDB_entry_s map{.mmdb = &metadata, .offset = 0};
  MMDB_entry_data_s data{};
  const int status = MMDB_get_value(&map, &data, name, nullptr);
  if (status != MMDB_SUCCESS || !data.has_data || data.type != type) return std::nullopt;
  if (type == MMDB_DATA_TYPE_UINT16) return data.uint16;
  return type == MMDB_DATA_TYPE_UINT32 ? data.uint32 : data.uint64;
}

// MaxMind DB 2.0: the search tree, a separator, the data, and at the end what is said of them.
struct opened {
  MMDB_s mmdb{};
  std::uint64_t data_bytes = 0;
};
result<opened> open(std::string_view file) {
  const std::size_t marker = file.rfind(metadata_marker);
  if (marker == std::string_view::npos) return broken("is not a MaxMind DB, or not all of one");
  const std::string_view about = file.substr(marker + metadata_marker.size());
  const MMDB_s metadata = describe(about, about);
  const auto version = number(metadata, "binary_format_major_version", MMDB_DATA_TYPE_UINT16);
  const auto nodes = number(metadata, "node_count", MMDB_DATA_TYPE_UINT32);
  const auto bits = number(metadata, "record_size", MMDB_DATA_TYPE_UINT16);
  const auto ip_version = number(metadata, "ip_version", MMDB_DATA_TYPE_UINT16);
  const auto built = number(metadata, "build_epoch", MMDB_DATA_TYPE_UINT64);
  if (!version || !nodes || !bits || !ip_version || !built) return broken("its metadata is broken");
  if (*version != 2) return broken("is a MaxMind DB of another version than 2");
  const bool is_sound = (*bits == 24 || *bits == 28 || *bits == 32) && *nodes > 0 &&
                        (*ip_version == 4 || *ip_version == 6);
  const std::uint64_t tree = *nodes * *bits / 4;
  if (!is_sound || tree + separator_bytes > marker) return broken("its metadata is broken");
  // The library counts what is behind the data as data, and needs it for a short section.
  opened found{.mmdb = describe(file, file.substr(tree + separator_bytes)),
               .data_bytes = marker - tree - separator_bytes};
  MMDB_s& made = found.mmdb;
  made.full_record_byte_size = static_cast<std::uint16_t>(*bits / 4);
  made.metadata.node_count = static_cast<std::uint32_t>(*nodes);
  made.metadata.record_size = static_cast<std::uint16_t>(*bits);
  made.metadata.ip_version = static_cast<std::uint16_t>(*ip_version);
  made.metadata.build_epoch = *built;
  made.depth = *ip_version == 6 ? 128 : 32;
  return found;
}

std::uint64_t high_bits(const country_table::address& of) noexcept {
  std::uint64_t high = 0;
  for (std::size_t i = 0; i < 8; ++i) high = high << 8U | of[i];
  return high;
}

std::uint64_t low_bits(const country_table::address& of) noexcept {
  std::uint64_t low = 0;
  for (std::size_t i = 8; i < 16; ++i) low = low << 8U | of[i];
  return low;
}

// The range that holds `at`: the last that begins no later.
template <class T>
country look_up(const std::vector<T>& begins, const std::vector<country>& in, T at) noexcept {
  const auto after = std::upper_bound(begins.begin(), begins.end(), at);
  if (after == begins.begin()) return {};
  return in[static_cast<std::size_t>(after - begins.begin()) - 1];
}

// One record of a node, as the library has it.
struct record {
  std::uint64_t value = 0;
  std::uint8_t type = MMDB_RECORD_TYPE_INVALID;
  MMDB_entry_s entry{};
};

}  // namespace

struct country_table::builder {
  explicit builder(const opened& from)
      : mmdb(from.mmdb), data_bytes(from.data_bytes), seen(from.mmdb.metadata.node_count) {}

  // Where the tree of IPv4 begins, at ::/96; the addresses that stand for IPv4 ones elsewhere in a
  // tree of IPv6 lead there too.
  result<> find_v4_root() {
    if (mmdb.metadata.ip_version == 4) {
      v4_root = {.value = 0, .type = MMDB_RECORD_TYPE_SEARCH_NODE};
      return {};
    }
    record at{.value = 0, .type = MMDB_RECORD_TYPE_SEARCH_NODE};
    for (int bit = 0; bit < 96 && at.type == MMDB_RECORD_TYPE_SEARCH_NODE; ++bit) {
      if (!read(at.value, at, right)) return broken("its search tree is broken");
    }
    v4_root = at;
    return {};
  }

  // Both records of a node.
  bool read(std::uint64_t node, record& a, record& b) const {
    MMDB_search_node_s found;
    if (node >= mmdb.metadata.node_count ||
        MMDB_read_node(&mmdb, static_cast<std::uint32_t>(node), &found) != MMDB_SUCCESS) {
      return false;
    }
    a = {found.left_record, found.left_record_type, found.left_record_entry};
    b = {found.right_record, found.right_record_type, found.right_record_entry};
    return true;
  }

  result<country> country_of(const record& at) {
    const std::uint64_t first = mmdb.metadata.node_count + separator_bytes;
    if (at.type != MMDB_RECORD_TYPE_DATA || at.value < first || at.value - first >= data_bytes) {
      return broken("its search tree leads out of its data");
    }
    const auto [known, is_new] = countries.try_emplace(at.value);
    if (!is_new) return known->second;
    MMDB_entry_s entry = at.entry;
    MMDB_entry_data_s data{};
    const int status = MMDB_get_value(&entry, &data, "country", "iso_code", nullptr);
    if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR) return country{};
    if (status != MMDB_SUCCESS) return broken("its data is broken");
    if (data.has_data && data.type == MMDB_DATA_TYPE_UTF8_STRING) {
      known->second = country::of({data.utf8_string, data.data_size});
    }
    some = some || known->second.is_known();
    return known->second;
  }

  // Every network below `root` in the order of their addresses, of `bits` bits, as ranges.
  template <class T>
  result<> walk(const record& root, int bits, std::vector<T>& begins, std::vector<country>& in) {
    struct step {
      record at;
      int depth;
      T from;
    };
    const auto put = [&](T from, country where) {
      if (begins.empty() ? !where.is_known() : in.back() == where) return;
      begins.push_back(from);
      in.push_back(where);
    };
    std::vector<step> to_do{{root, 0, 0}};  // never more than `bits` + 1
    while (!to_do.empty()) {
      const step next = to_do.back();
      to_do.pop_back();
      if (next.at.type == MMDB_RECORD_TYPE_EMPTY) {
        put(next.from, {});
        continue;
      }
      if (next.at.type != MMDB_RECORD_TYPE_SEARCH_NODE) {
        const result<country> where = country_of(next.at);
        if (!where) return failure(where.error());
        put(next.from, *where);
        continue;
      }
      if (bits > 32 && next.depth > 0 && next.at.value == v4_root.value &&
          v4_root.type == MMDB_RECORD_TYPE_SEARCH_NODE) {
        put(next.from, {});
        continue;
      }
      // In a tree each node has one way to it: so this ends, and in time.
      if (next.depth == bits || next.at.value >= seen.size() || seen[next.at.value]) {
        return broken("its search tree is broken");
      }
      seen[next.at.value] = true;
      record left;
      record right_one;
      if (!read(next.at.value, left, right_one)) return broken("its search tree is broken");
      const T half = T{1} << static_cast<unsigned>(bits - next.depth - 1);
      to_do.push_back({right_one, next.depth + 1, static_cast<T>(next.from + half)});
      to_do.push_back({left, next.depth + 1, next.from});
    }
    return {};
  }

  const MMDB_s& mmdb;
  std::uint64_t data_bytes;
  std::vector<bool> seen;
  std::unordered_map<std::uint64_t, country> countries;  // by the record that leads there
  record v4_root;
  record right;  // of no interest
  bool some = false;
};

std::uint64_t country_table::id_of(std::string_view file) noexcept {
  std::array<unsigned char, crypto_generichash_BYTES> digest;
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(file.data()), file.size(), nullptr, 0);
  std::uint64_t id = 0;
  std::memcpy(&id, digest.data(), sizeof id);
  return id == 0 ? 1 : id;
}

result<std::shared_ptr<const country_table>> country_table::load(std::string_view file) {
  const result<opened> from = open(file);
  if (!from) return failure(from.error());
  auto made = std::make_shared<country_table>();
  builder reads(*from);
  if (const result<> found = reads.find_v4_root(); !found) return failure(found.error());
  if (from->mmdb.metadata.ip_version == 6) {
    const record root{.value = 0, .type = MMDB_RECORD_TYPE_SEARCH_NODE};
    const result<> done = reads.walk(root, 128, made->v6_, made->v6_in_);
    if (!done) return failure(done.error());
  }
  const result<> done = reads.walk(reads.v4_root, 32, made->v4_, made->v4_in_);
  if (!done) return failure(done.error());
  if (!reads.some) return broken("has no country in it: is it a database of countries or cities?");
  made->id_ = id_of(file);
  made->built_ = wall_time{std::chrono::seconds{static_cast<std::int64_t>(
      std::min<std::uint64_t>(from->mmdb.metadata.build_epoch, 1ULL << 32U))}};
  return made;
}

country country_table::find(const address& of) const noexcept {
  const std::uint64_t low = low_bits(of);
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), of.begin())) {
    return look_up(v4_, v4_in_, static_cast<std::uint32_t>(low));
  }
  return look_up(v6_, v6_in_, wide{high_bits(of)} << 64U | low);
}

}  // namespace rw::geo
